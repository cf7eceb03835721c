"""The promises of `core.ports.Leases`, kept by PostgreSQL and in memory alike."""

import pytest

from core.compute import Lease, Slot
from core.errors import LeaseHeldError, LeaseLostError, NoCapacityError
from tests import builders
from tests.gateways.conftest import Stores

SECONDS, STALE = 600.0, 60.0


def acquire(stores: Stores, owner: str, holder: str, slots: int = 1, seconds: float = SECONDS) -> Lease:
    return stores.leases.acquire(owner, holder, slots, seconds, STALE)


def resources(lease: Lease) -> list[str]:
    return [slot.resource for slot in lease.slots]


@pytest.fixture
def one_slot(stores: Stores) -> Slot:
    slot = builders.slots(1)[0]
    stores.leases.register_slots([slot])
    return slot


# Capacity


def test_a_leased_slot_is_not_leased_again(stores: Stores, one_slot: Slot) -> None:
    with stores.tells_of("lease:t1"):
        lease = acquire(stores, "t1", "a")
    assert (lease.owner, lease.holder, lease.slots) == ("t1", "a", (one_slot,))
    with stores.tells_nothing(), pytest.raises(NoCapacityError, match="t2"):
        acquire(stores, "t2", "b")


def test_without_slots_there_is_no_capacity(stores: Stores) -> None:
    with pytest.raises(NoCapacityError):
        acquire(stores, "t1", "a")


def test_slots_are_given_in_their_order(stores: Stores) -> None:
    stores.leases.register_slots(builders.slots(11))
    given = [resources(acquire(stores, f"t{number}", "a"))[0] for number in range(11)]
    assert given == [f"slot/local/{number}" for number in range(11)]


def test_a_lease_of_several_slots_is_of_one_instance(stores: Stores) -> None:
    stores.leases.register_slots([*builders.slots(1, "small"), *builders.slots(2, "big")])
    with pytest.raises(NoCapacityError):
        acquire(stores, "t1", "a", slots=3)
    assert resources(acquire(stores, "t1", "a", slots=2)) == ["slot/big/0", "slot/big/1"]
    with pytest.raises(NoCapacityError):
        acquire(stores, "t2", "b", slots=2)
    assert resources(acquire(stores, "t2", "b", slots=1)) == ["slot/small/0"]


def test_refused_capacity_leaves_nothing_behind(stores: Stores, one_slot: Slot) -> None:
    with pytest.raises(NoCapacityError):
        acquire(stores, "t1", "a", slots=2)
    assert stores.leases.live_owners(STALE) == set()
    assert resources(acquire(stores, "t2", "b")) == [one_slot.resource]


def test_a_known_slot_stays_as_it_is(stores: Stores, one_slot: Slot) -> None:
    lease = acquire(stores, "t1", "a")
    with stores.tells_nothing():
        stores.leases.register_slots([one_slot.model_copy(update={"device": "GPU-1"})])
    stores.leases.heartbeat(lease)
    stores.leases.release(lease)
    assert acquire(stores, "t2", "b").slots == (one_slot,)


def test_a_new_slot_is_told(stores: Stores, one_slot: Slot) -> None:
    with stores.tells_of("slot:slot/gpu/0"):
        stores.leases.register_slots([one_slot, *builders.slots(1, "gpu")])


def test_a_gpu_comes_with_its_device(stores: Stores) -> None:
    gpu = Slot(resource="slot/gpu/0", instance="gpu", device="GPU-6f3c")
    stores.leases.register_slots([gpu])
    assert acquire(stores, "t1", "a").slots == (gpu,)


# Exclusion


def test_a_lease_without_slots_only_excludes_others(stores: Stores, one_slot: Slot) -> None:
    assert acquire(stores, "text-0001", "a", slots=0).slots == ()
    with pytest.raises(LeaseHeldError, match="text-0001"):
        acquire(stores, "text-0001", "b", slots=0)
    acquire(stores, "text-0002", "b", slots=0)
    assert acquire(stores, "t1", "a").slots == (one_slot,)


def test_a_living_holder_keeps_the_lease(stores: Stores, one_slot: Slot) -> None:
    lease = acquire(stores, "t1", "a")
    stores.pass_time(STALE - 10)
    with stores.tells_nothing(), pytest.raises(LeaseHeldError, match="t1"):
        acquire(stores, "t1", "b")
    stores.leases.heartbeat(lease)


# Tokens


def test_the_same_holder_gets_its_slots_under_a_new_token(stores: Stores, one_slot: Slot) -> None:
    first = acquire(stores, "t1", "a")
    with stores.tells_of("lease:t1"):
        second = acquire(stores, "t1", "a")
    assert second.token > first.token
    assert second.slots == first.slots
    with pytest.raises(LeaseLostError):
        stores.leases.heartbeat(first)
    stores.leases.heartbeat(second)


@pytest.mark.parametrize("slots", [0, 1])
def test_a_stale_holder_loses_the_lease_to_its_successor(stores: Stores, one_slot: Slot, slots: int) -> None:
    lost = acquire(stores, "t1", "a", slots)
    stores.pass_time(STALE + 10)
    with stores.tells_of("lease:t1"):
        taken = acquire(stores, "t1", "b", slots)
    assert (taken.holder, taken.slots) == ("b", lost.slots)
    assert taken.token > lost.token
    with pytest.raises(LeaseLostError, match="t1"):
        stores.leases.heartbeat(lost)


def test_a_heartbeat_keeps_the_successor_away(stores: Stores, one_slot: Slot) -> None:
    lease = acquire(stores, "t1", "a")
    for _ in range(3):
        stores.pass_time(STALE - 10)
        stores.leases.heartbeat(lease)
    with pytest.raises(LeaseHeldError):
        acquire(stores, "t1", "b")


def test_a_stranger_never_gets_a_stale_holders_slot(stores: Stores, one_slot: Slot) -> None:
    acquire(stores, "t1", "a")
    stores.pass_time(STALE + 10)
    with pytest.raises(NoCapacityError):
        acquire(stores, "t2", "b")


def test_tokens_grow_over_all_owners_and_never_come_back(stores: Stores, one_slot: Slot) -> None:
    tokens = []
    for owner in ("t1", "t2", "t1"):
        lease = acquire(stores, owner, "a")
        tokens.append(lease.token)
        stores.leases.release(lease)
    assert tokens == sorted(set(tokens))


# Expiry


@pytest.mark.parametrize("slots", [0, 1])
def test_an_expired_lease_is_gone(stores: Stores, one_slot: Slot, slots: int) -> None:
    expired = acquire(stores, "t1", "a", slots, seconds=30)
    stores.pass_time(31)
    with pytest.raises(LeaseLostError):
        stores.leases.heartbeat(expired)
    assert stores.leases.live_owners(STALE) == set()
    assert acquire(stores, "t1", "b", slots).token > expired.token


def test_an_expired_slot_is_anybodys(stores: Stores, one_slot: Slot) -> None:
    expired = acquire(stores, "t1", "a", seconds=30)
    stores.pass_time(31)
    lease = acquire(stores, "t2", "b")
    assert lease.slots == expired.slots
    stores.leases.release(expired)
    stores.leases.heartbeat(lease)


def test_a_heartbeat_does_not_put_off_the_expiry(stores: Stores, one_slot: Slot) -> None:
    lease = acquire(stores, "t1", "a", seconds=30)
    stores.pass_time(20)
    stores.leases.heartbeat(lease)
    stores.pass_time(11)
    with pytest.raises(LeaseLostError):
        stores.leases.heartbeat(lease)


def test_a_renewed_lease_lasts_anew(stores: Stores, one_slot: Slot) -> None:
    acquire(stores, "t1", "a", seconds=30)
    stores.pass_time(20)
    renewed = acquire(stores, "t1", "a", seconds=30)
    stores.pass_time(20)
    stores.leases.heartbeat(renewed)


# Release


@pytest.mark.parametrize("slots", [0, 1])
def test_a_released_lease_is_free_for_all(stores: Stores, one_slot: Slot, slots: int) -> None:
    lease = acquire(stores, "t1", "a", slots)
    with stores.tells_of("lease:t1"):
        stores.leases.release(lease)
    with stores.tells_nothing():
        stores.leases.release(lease)
    with pytest.raises(LeaseLostError):
        stores.leases.heartbeat(lease)
    assert acquire(stores, "t1", "b", slots).slots == lease.slots


def test_a_lost_lease_releases_nothing(stores: Stores, one_slot: Slot) -> None:
    lost = acquire(stores, "t1", "a")
    stores.pass_time(STALE + 10)
    taken = acquire(stores, "t1", "b")
    with stores.tells_nothing():
        stores.leases.release(lost)
    stores.leases.heartbeat(taken)


def test_a_lease_that_never_was_is_released_in_silence(stores: Stores) -> None:
    with stores.tells_nothing():
        stores.leases.release(builders.lease(token=99))


# Who is alive


def test_live_owners_are_those_whose_holder_beats(stores: Stores) -> None:
    stores.leases.register_slots(builders.slots(3))
    quiet, beating = acquire(stores, "quiet", "a"), acquire(stores, "beating", "b", slots=2)
    released = acquire(stores, "text-0001", "c", slots=0)
    assert stores.leases.live_owners(STALE) == {"quiet", "beating", "text-0001"}
    stores.leases.release(released)
    stores.pass_time(STALE + 10)
    stores.leases.heartbeat(beating)
    assert stores.leases.live_owners(STALE) == {"beating"}
    assert stores.leases.live_owners(2 * STALE) == {"quiet", "beating"}
    assert quiet.token < beating.token


def test_stale_leases_are_told_as_they_are_held(stores: Stores) -> None:
    stores.leases.register_slots(builders.slots(3))
    slots, exclusive = acquire(stores, "t1", "a", slots=2), acquire(stores, "text-0001", "b", slots=0)
    acquire(stores, "short", "c", seconds=10)
    assert stores.leases.stale(STALE) == []
    stores.pass_time(STALE + 10)
    beating = acquire(stores, "t2", "d")
    assert stores.leases.stale(STALE) == [slots, exclusive]
    assert stores.leases.stale(2 * STALE) == []
    stores.leases.release(slots)
    assert stores.leases.stale(STALE) == [exclusive]
    stores.leases.heartbeat(beating)
