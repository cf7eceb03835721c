"""Random histories of leases, compared step by step with a model that fits on a page."""

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test

from core.compute import Lease
from core.errors import LeaseHeldError, LeaseLostError, NoCapacityError
from gateways.postgres.database import Database
from tests import builders
from tests.gateways.conftest import Stores, memory_stores, postgres_stores

STALE = 90.0
SIZES = {"big": 2, "small": 1}
OWNERS = st.sampled_from(["t1", "t2", "text-0001"])
HOLDERS = st.sampled_from(["a", "b"])


@dataclass
class Held:
    """What the model knows of an owner's lease; times are seconds since the beginning."""

    lease: Lease
    heartbeat: float
    expiry: float


class LeaseHistory(RuleBasedStateMachine):
    """Time passes in whole minutes and limits lie half a minute off, so that nothing happens just at one."""

    leases = Bundle("leases")

    def __init__(self, stores: Stores) -> None:
        super().__init__()
        self.port = stores.leases
        self.stores = stores
        self.now = 0.0
        self.newest_token = 0
        self.held: dict[str, Held] = {}
        self.port.register_slots([slot for name, size in SIZES.items() for slot in builders.slots(size, name)])

    @rule(target=leases, owner=OWNERS, holder=HOLDERS, slots=st.integers(0, 3), minutes=st.integers(1, 4))
    def acquire(self, owner: str, holder: str, slots: int, minutes: int) -> object:
        there = self.alive().get(owner)
        seconds = 60.0 * minutes + 30
        try:
            lease = self.port.acquire(owner, holder, slots, seconds, STALE)
        except LeaseHeldError:
            assert there is not None and there.lease.holder != holder and not self.is_stale(there)
            return multiple()
        except NoCapacityError:
            assert there is None and slots > max(self.free().values())
            return multiple()
        assert there is None or there.lease.holder == holder or self.is_stale(there)
        self.check_grant(lease, there, slots)
        left = there.expiry if there else 0.0
        self.held[owner] = Held(lease, self.now, max(self.now + seconds, left))
        return lease

    @rule(lease=leases)
    def heartbeat(self, lease: Lease) -> None:
        there = self.alive().get(lease.owner)
        if there is not None and there.lease == lease:
            self.port.heartbeat(lease)
            there.heartbeat = self.now
        else:
            with pytest.raises(LeaseLostError):
                self.port.heartbeat(lease)

    @rule(lease=leases)
    def release(self, lease: Lease) -> None:
        self.port.release(lease)
        there = self.held.get(lease.owner)
        if there is not None and there.lease == lease:
            del self.held[lease.owner]

    @rule(minutes=st.integers(1, 3))
    def wait(self, minutes: int) -> None:
        self.stores.pass_time(60.0 * minutes)
        self.now += 60.0 * minutes

    @invariant()
    def living_owners_are_known(self) -> None:
        alive = {owner for owner, held in self.alive().items() if not self.is_stale(held)}
        assert self.port.live_owners(STALE) == alive
        assert {lease.owner for lease in self.port.stale(STALE)} == set(self.alive()) - alive

    @invariant()
    def no_slot_is_held_twice(self) -> None:
        taken = self.taken()
        assert len(taken) == len(set(taken))

    def check_grant(self, lease: Lease, there: Held | None, slots: int) -> None:
        assert lease.token > self.newest_token
        self.newest_token = lease.token
        if there is not None:
            assert lease.slots == there.lease.slots
        else:
            assert len(lease.slots) == slots
            assert len({slot.instance for slot in lease.slots}) <= 1
            assert not {slot.resource for slot in lease.slots} & set(self.taken())

    def alive(self) -> dict[str, Held]:
        return {owner: held for owner, held in self.held.items() if held.expiry > self.now}

    def is_stale(self, held: Held) -> bool:
        return self.now - held.heartbeat > STALE

    def taken(self) -> list[str]:
        return [slot.resource for held in self.alive().values() for slot in held.lease.slots]

    def free(self) -> dict[str, int]:
        """Free slots of each instance."""
        return {name: size - sum(f"/{name}/" in slot for slot in self.taken()) for name, size in SIZES.items()}


def test_histories_in_memory() -> None:
    run_state_machine_as_test(
        lambda: LeaseHistory(memory_stores()),  # type: ignore[arg-type]
        settings=settings(max_examples=100),
    )


@pytest.mark.postgres
def test_histories_on_postgres(database: Database) -> None:
    def fresh() -> LeaseHistory:
        with database.transaction() as transaction:
            transaction.execute("TRUNCATE leases")
        return LeaseHistory(postgres_stores(database))

    run_state_machine_as_test(
        fresh,  # type: ignore[arg-type]
        settings=settings(max_examples=15, stateful_step_count=20),
    )
