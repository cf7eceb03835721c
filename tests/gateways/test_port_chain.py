"""The promises of `core.ports.Chain`, kept by the local chain on PostgreSQL and in memory alike."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from core.chain import Commitment, Metagraph, Neuron, Transfer, WeightsReceipt
from core.errors import ChainRateLimitError
from core.ids import Coldkey, Hotkey
from gateways.local_chain import LocalChain
from gateways.memory import MemoryChain
from gateways.settings import ChainSettings
from tests import builders
from tests.gateways.conftest import BACKENDS, HandClock

SETTINGS = ChainSettings(netuid=builders.NETUID, block_seconds=12, weights_rate_limit=10)
NETUID, OTHER_NETUID = builders.NETUID, builders.NETUID + 1
ADDRESS = "5Collection"


@dataclass(frozen=True)
class Subnet:
    chain: LocalChain | MemoryChain
    advance: Callable[[int], object]
    """Let that many blocks pass."""

    def register(self, number: int) -> int:
        return self.chain.register(builders.hotkey(number), builders.coldkey(number), number)

    def metagraph(self, netuid: int) -> Metagraph:
        """As of now."""
        return self.chain.metagraph(netuid, self.chain.block_number())

    def transfer(self, number: int, amount_rao: int, to: str = ADDRESS) -> Transfer:
        """By miner `number`'s coldkey."""
        return self.chain.transfer(builders.coldkey(number), to, amount_rao)


@pytest.fixture(params=BACKENDS)
def subnet(request: pytest.FixtureRequest) -> Subnet:
    if request.param == "memory":
        memory = MemoryChain(NETUID, weights_rate_limit=SETTINGS.weights_rate_limit)
        return Subnet(memory, memory.advance)
    clock = HandClock()
    chain = LocalChain(request.getfixturevalue("database"), SETTINGS, clock)
    return Subnet(chain, lambda blocks: clock.advance(blocks * SETTINGS.block_seconds))


# Blocks


def test_blocks_come_one_after_another(subnet: Subnet) -> None:
    first = subnet.chain.block_number()
    assert subnet.chain.block_number() == first
    subnet.advance(1)
    assert subnet.chain.block_number() == first + 1
    subnet.advance(25)
    assert subnet.chain.block_number() == first + 26


def test_every_block_has_a_hash_of_its_own_for_good(subnet: Subnet) -> None:
    subnet.advance(5)
    present = subnet.chain.block_number()
    hashes = [subnet.chain.block_hash(number) for number in range(present + 1)]
    assert all(re.fullmatch(r"[0-9a-f]{64}", hash_) for hash_ in hashes)
    assert len(set(hashes)) == len(hashes)
    subnet.advance(50)
    subnet.chain.block_number()
    assert [subnet.chain.block_hash(number) for number in range(present + 1)] == hashes


def test_the_future_has_no_hash_yet(subnet: Subnet) -> None:
    present = subnet.chain.block_number()
    for number in (present + 1, -1):
        with pytest.raises(ValueError, match=str(number)):
            subnet.chain.block_hash(number)
    subnet.advance(1)
    assert subnet.chain.block_hash(present + 1)


# Neurons


def test_the_metagraph_shows_who_is_registered(subnet: Subnet) -> None:
    assert subnet.metagraph(NETUID).neurons == ()
    assert [subnet.register(number) for number in (1, 2, 3)] == [0, 1, 2]
    subnet.advance(1)
    metagraph = subnet.metagraph(NETUID)
    assert (metagraph.netuid, metagraph.block_number) == (NETUID, subnet.chain.block_number())
    assert metagraph.neurons[1] == Neuron(uid=1, hotkey=builders.hotkey(2), coldkey=builders.coldkey(2), stake_rao=2)


def test_registering_again_changes_the_stake_and_keeps_the_uid(subnet: Subnet) -> None:
    uids = [subnet.register(number) for number in (1, 2)]
    assert subnet.chain.register(builders.hotkey(1), builders.coldkey(1), 700) == uids[0]
    assert [neuron.stake_rao for neuron in subnet.metagraph(NETUID).neurons] == [700, 2]


def test_the_metagraph_of_a_past_block_stays_as_it_was(subnet: Subnet) -> None:
    subnet.register(1)
    closing = subnet.chain.block_number()
    subnet.advance(3)
    subnet.register(2)
    subnet.chain.register(builders.hotkey(1), builders.coldkey(7), 700)
    (before,) = subnet.chain.metagraph(NETUID, closing).neurons
    assert before == Neuron(uid=0, hotkey=builders.hotkey(1), coldkey=builders.coldkey(1), stake_rao=1)
    assert [(n.uid, n.coldkey, n.stake_rao) for n in subnet.chain.metagraph(NETUID, closing + 3).neurons] == [
        (0, builders.coldkey(7), 700),
        (1, builders.coldkey(2), 2),
    ]


def test_a_block_that_is_not_there_has_neither_neurons_nor_transfers(subnet: Subnet) -> None:
    future = subnet.chain.block_number() + 1
    with pytest.raises(ValueError, match=str(future)):
        subnet.chain.metagraph(NETUID, future)
    with pytest.raises(ValueError, match=str(future)):
        subnet.chain.transfers(ADDRESS, 0, future)


def test_another_subnet_is_not_ours(subnet: Subnet) -> None:
    subnet.register(1)
    subnet.chain.commit(builders.hotkey(1), "payload")
    assert subnet.metagraph(OTHER_NETUID).neurons == ()
    assert subnet.chain.commitments(OTHER_NETUID, subnet.chain.block_number()) == []
    assert subnet.chain.weights(OTHER_NETUID) is None


# Commitments


def test_the_newest_commitment_of_each_hotkey_counts(subnet: Subnet) -> None:
    for number in (1, 2):
        subnet.register(number)
    first = subnet.chain.commit(builders.hotkey(1), "old")
    subnet.chain.commit(builders.hotkey(2), "only")
    subnet.advance(5)
    second = subnet.chain.commit(builders.hotkey(1), "new")
    assert second == first + 5

    def payloads(at_block: int) -> dict[Hotkey, str]:
        return {c.hotkey: c.payload for c in subnet.chain.commitments(NETUID, at_block)}

    assert payloads(first - 1) == {}
    assert payloads(second - 1) == {builders.hotkey(1): "old", builders.hotkey(2): "only"}
    assert payloads(second) == {builders.hotkey(1): "new", builders.hotkey(2): "only"}


def test_within_one_block_the_last_word_counts(subnet: Subnet) -> None:
    subnet.register(1)
    for payload in ("first", "second"):
        block = subnet.chain.commit(builders.hotkey(1), payload)
    expected = Commitment(hotkey=builders.hotkey(1), payload="second", block_number=block)
    assert subnet.chain.commitments(NETUID, block) == [expected]


def test_only_the_registered_commit(subnet: Subnet) -> None:
    with pytest.raises(ValueError, match="not registered"):
        subnet.chain.commit(builders.hotkey(1), "payload")
    assert subnet.chain.commitments(NETUID, subnet.chain.block_number()) == []


# Transfers


def test_a_transfer_stands_in_the_next_block(subnet: Subnet) -> None:
    """So that whoever has read a block that is there has read all of it."""
    present = subnet.chain.block_number()
    sent = subnet.transfer(1, 200)
    assert subnet.chain.transfers(ADDRESS, 0, present) == []
    subnet.advance(1)
    assert subnet.chain.transfers(ADDRESS, 0, present + 1) == [sent]
    assert (sent.sender, sent.amount_rao, sent.block_number) == (builders.coldkey(1), 200, present + 1)


def test_every_transfer_stands_in_one_block_and_has_a_name_of_its_own(subnet: Subnet) -> None:
    """However the blocks are divided among the calls; 500 are more than a page of the reference's (its §9.1 no. 6)."""
    first = subnet.chain.block_number()
    sent = []
    for _ in range(5):
        sent += [subnet.transfer(1, amount) for amount in range(1, 101)]
        subnet.advance(1)
    last = subnet.chain.block_number()
    in_one = subnet.chain.transfers(ADDRESS, 0, last)
    assert in_one == sent and len({transfer.transfer_id for transfer in in_one}) == 500
    block_by_block = [t for block in range(first, last + 1) for t in subnet.chain.transfers(ADDRESS, block, block)]
    assert block_by_block == in_one


def test_only_transfers_to_the_address_are_shown(subnet: Subnet) -> None:
    mine = subnet.transfer(1, 5)
    subnet.transfer(1, 7, to="5Somebody")
    subnet.advance(1)
    assert subnet.chain.transfers(ADDRESS, 0, subnet.chain.block_number()) == [mine]


# Weights


def test_weights_are_taken_at_the_present_block(subnet: Subnet) -> None:
    subnet.register(1)
    subnet.register(2)
    assert subnet.chain.weights(NETUID) is None
    receipt = subnet.chain.set_weights(NETUID, {0: 0, 1: 65_535}, version_key=7)
    block = subnet.chain.block_number()
    assert receipt == WeightsReceipt(netuid=NETUID, block_number=block, version_key=7, weights={0: 0, 1: 65_535})
    assert subnet.chain.weights(NETUID) == receipt


def test_weights_are_taken_again_only_later(subnet: Subnet) -> None:
    subnet.register(1)
    first = subnet.chain.set_weights(NETUID, {0: 1}, version_key=7)
    subnet.advance(4)
    with pytest.raises(ChainRateLimitError) as refusal:
        subnet.chain.set_weights(NETUID, {0: 2}, version_key=7)
    assert refusal.value.blocks_left == 6
    assert subnet.chain.weights(NETUID) == first
    subnet.advance(6)
    second = subnet.chain.set_weights(NETUID, {0: 2}, version_key=7)
    assert second.block_number == first.block_number + 10
    assert subnet.chain.weights(NETUID) == second


@pytest.mark.parametrize("weights", [{5: 1}, {0: -1}, {0: 65_536}], ids=["unknown uid", "negative", "too large"])
def test_wrong_weights_are_refused(subnet: Subnet, weights: dict[int, int]) -> None:
    subnet.register(1)
    with pytest.raises(ValueError, match=r"uids|weights"):
        subnet.chain.set_weights(NETUID, weights, version_key=7)
    assert subnet.chain.weights(NETUID) is None
    subnet.chain.set_weights(NETUID, {0: 1}, version_key=7)


def test_keys_are_kept_as_they_are(subnet: Subnet) -> None:
    odd = Hotkey("5" + "é'\"%s" * 3)
    subnet.chain.register(odd, Coldkey("cold"), 10**18)
    subnet.chain.commit(odd, "x" * 1000)
    assert subnet.metagraph(NETUID).neurons[0].hotkey == odd
    assert subnet.chain.commitments(NETUID, subnet.chain.block_number())[0].payload == "x" * 1000
