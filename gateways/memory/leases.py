"""Leases in memory, under the world's clock."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby

from core.compute import Lease, Slot
from core.errors import LeaseHeldError, LeaseLostError, NoCapacityError
from gateways.memory.world import LeaseRow, World, transactional


@transactional
class MemoryLeases:
    def __init__(self, world: World) -> None:
        self._world = world

    def register_slots(self, slots: Sequence[Slot]) -> None:
        for slot in slots:
            if slot.resource not in self._world.slots:
                self._world.slots[slot.resource] = slot
                self._world.log(f"slot:{slot.resource}", "registered", instance=slot.instance)

    def acquire(self, owner: str, holder: str, slots: int, seconds: float, stale_seconds: float) -> Lease:
        there = self._alive(owner)
        if there is None:
            return self._grant(owner, holder, self._free_slots(owner, slots), seconds, "acquired")
        if there.holder == holder:
            return self._renew(there, holder, seconds, "renewed")
        if self._is_stale(there, stale_seconds):
            return self._renew(there, holder, seconds, "taken over")
        raise LeaseHeldError(f"{owner} is held by {there.holder}, who is alive; leave the work to it")

    def heartbeat(self, lease: Lease) -> None:
        there = self._alive(lease.owner)
        if there is None or there.token != lease.token:
            raise LeaseLostError(f"{lease.holder} lost its lease of {lease.owner} (token {lease.token}): write nothing")
        there.heartbeat_at = self._world.clock()

    def release(self, lease: Lease) -> None:
        there = self._world.leases.get(lease.owner)
        if there is not None and there.token == lease.token:
            del self._world.leases[lease.owner]
            self._world.log(f"lease:{lease.owner}", "released", holder=lease.holder, token=lease.token)

    def live_owners(self, stale_seconds: float) -> set[str]:
        unexpired = [row for owner in self._world.leases if (row := self._alive(owner))]
        return {row.owner for row in unexpired if not self._is_stale(row, stale_seconds)}

    def stale(self, stale_seconds: float) -> list[Lease]:
        unexpired = [row for owner in sorted(self._world.leases) if (row := self._alive(owner))]
        rows = [row for row in unexpired if self._is_stale(row, stale_seconds)]
        return [Lease(owner=row.owner, holder=row.holder, token=row.token, slots=row.slots) for row in rows]

    def _alive(self, owner: str) -> LeaseRow | None:
        """The owner's lease, unless it has expired."""
        row = self._world.leases.get(owner)
        return row if row is not None and row.expires_at > self._world.clock() else None

    def _is_stale(self, row: LeaseRow, stale_seconds: float) -> bool:
        return self._world.clock() - row.heartbeat_at > timedelta(seconds=stale_seconds)

    def _grant(self, owner: str, holder: str, slots: tuple[Slot, ...], seconds: float, event: str) -> Lease:
        now = self._world.clock()
        self._world.newest_token += 1
        token = self._world.newest_token
        expires_at = now + timedelta(seconds=seconds)
        self._world.leases[owner] = LeaseRow(owner, holder, token, slots, expires_at, heartbeat_at=now)
        resources = [slot.resource for slot in slots]
        self._world.log(f"lease:{owner}", event, holder=holder, token=token, resources=resources)
        return Lease(owner=owner, holder=holder, token=token, slots=slots)

    def _renew(self, there: LeaseRow, holder: str, seconds: float, event: str) -> Lease:
        left = (there.expires_at - self._world.clock()).total_seconds()
        return self._grant(there.owner, holder, there.slots, max(seconds, left), event)

    def _free_slots(self, owner: str, wanted: int) -> tuple[Slot, ...]:
        """As many free slots of the first instance that has them."""
        if wanted == 0:
            return ()
        taken = {slot.resource for name in self._world.leases if (row := self._alive(name)) for slot in row.slots}
        free = sorted((s for s in self._world.slots.values() if s.resource not in taken), key=_place)
        for _, of_instance in groupby(free, key=lambda slot: slot.instance):
            chosen = tuple(of_instance)[:wanted]
            if len(chosen) == wanted:
                return chosen
        raise NoCapacityError(f"no instance has {wanted} free slots for {owner}; try again when work has ended")


def _place(slot: Slot) -> tuple[str, int, str]:
    return slot.instance, len(slot.resource), slot.resource
