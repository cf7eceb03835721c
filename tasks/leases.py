"""Leases held for the length of a `with`: taken, kept alive by a heartbeat, given back."""

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from prefect import task
from prefect.context import FlowRunContext
from prefect.logging import get_logger

from core.compute import Lease
from core.errors import LeaseLostError, NoCapacityError, TransientError
from core.ports import Leases
from gateways.wiring import ports, settings
from tasks.outcomes import has_outcome
from tasks.retrying import EFFECT

HEARTBEATS = 6
"""So many are missed before a holder is dead and a successor may take over."""
WAIT_SECONDS = 0.25
EXCLUSION_SECONDS = 30 * 24 * 3600.0


@task(task_run_name="lease-for-{owner}", **EFFECT)
def acquire_lease(owner: str, holder: str, slots: int, seconds: float) -> Lease:
    """Wait for the slots; raises LeaseHeldError when another living flow run works for this owner."""
    while True:
        try:
            return ports().leases.acquire(owner, holder, slots, seconds, stale_seconds())
        except NoCapacityError:
            if not release_leftovers.fn():
                time.sleep(WAIT_SECONDS)


@task(task_run_name="release-{lease.owner}", **EFFECT)
def release_lease(lease: Lease) -> None:
    ports().leases.release(lease)


@task(**EFFECT)
def release_leftovers() -> list[str]:
    """Release what nobody will: leases of dead holders whose work is over, or that hold no slot. Return the owners."""
    leftovers = [
        lease for lease in ports().leases.stale(stale_seconds()) if not lease.slots or has_outcome(lease.owner)
    ]
    for lease in leftovers:
        ports().leases.release(lease)
    return [lease.owner for lease in leftovers]


@task(**EFFECT)
def live_owners() -> set[str]:
    """For whom some living flow run works."""
    return ports().leases.live_owners(stale_seconds())


def stale_seconds() -> float:
    return settings().dispatch.stale_seconds


@contextmanager
def lease(owner: str, slots: int, seconds: float) -> Iterator[Lease]:
    """Hold `slots` slots (0: only exclude others) for `owner`. Killed without a word, it goes stale and then ends."""
    held = acquire_lease(owner, _holder(), slots, seconds)
    done = threading.Event()
    beat = threading.Thread(
        target=_heartbeat, args=(ports().leases, held, done), name=f"heartbeat-{owner}", daemon=True
    )
    beat.start()
    try:
        yield held
    finally:
        done.set()
        beat.join()
        release_lease(held)


def exclusion(owner: str) -> AbstractContextManager[Lease]:
    """Keep others out for as long as this flow run lives."""
    return lease(owner, slots=0, seconds=EXCLUSION_SECONDS)


def presence(subject: str) -> AbstractContextManager[Lease]:
    """Show that a living flow run works for `subject`, also while it fetches, builds or waits for a slot."""
    return exclusion(presence_of(subject))


def presence_of(subject: str) -> str:
    return f"presence/{subject}"


def is_alive(subject: str) -> bool:
    """Some living flow run works for it."""
    return not {subject, presence_of(subject)}.isdisjoint(ports().leases.live_owners(stale_seconds()))


def wait_for_turn(owner: str, subject: str) -> bool:
    """Wait while a living flow run excludes others for `owner`; False when `subject` has its outcome."""
    while not has_outcome(subject):
        if owner not in ports().leases.live_owners(stale_seconds()):
            return True
        time.sleep(WAIT_SECONDS)
    return False


def _holder() -> str:
    context = FlowRunContext.get()
    return str(context.flow_run.id) if context and context.flow_run else "no flow run"


def _heartbeat(store: Leases, held: Lease, done: threading.Event) -> None:
    while not done.wait(stale_seconds() / HEARTBEATS):
        try:
            store.heartbeat(held)
        except LeaseLostError as error:
            get_logger("god.leases").warning("%s; every write under it will be refused", error)
            return
        except TransientError as error:
            get_logger("god.leases").warning("heartbeat of %s missed: %s", held.owner, error)
