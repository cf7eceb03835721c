import pytest

from core.tournament import EntryClaim
from demo.miners import COPYCAT, MINERS, STEADY
from demo.stage import STAKE_RAO, enter_miners
from gateways.local_chain import LocalChain
from gateways.settings import ChainSettings

SETTINGS = ChainSettings(block_seconds=0.05)


@pytest.fixture
def chain(database):
    return LocalChain(database, SETTINGS)


def committed(chain):
    return {c.hotkey: c for c in chain.commitments(SETTINGS.netuid, chain.block_number())}


@pytest.mark.postgres
def test_everybody_is_registered_and_has_committed_a_claim(chain, tmp_path):
    enter_miners(chain, SETTINGS, tmp_path)
    neurons = {n.hotkey: n for n in chain.metagraph(SETTINGS.netuid, chain.block_number()).neurons}
    assert set(neurons) == {miner.hotkey for miner in MINERS} | {SETTINGS.burn_hotkey}
    for miner in MINERS:
        assert (neurons[miner.hotkey].coldkey, neurons[miner.hotkey].stake_rao) == (miner.coldkey, STAKE_RAO)
        claim = EntryClaim.parse(committed(chain)[miner.hotkey].payload)
        assert claim.repository == (tmp_path / miner.name).as_uri()


@pytest.mark.postgres
def test_the_copycat_enters_later(chain, tmp_path):
    enter_miners(chain, SETTINGS, tmp_path)
    entries = committed(chain)
    assert entries[COPYCAT.hotkey].block_number > entries[STEADY.hotkey].block_number


@pytest.mark.postgres
def test_entries_stand_until_the_code_changes(chain, tmp_path):
    enter_miners(chain, SETTINGS, tmp_path)
    first = committed(chain)
    chain.commit(STEADY.hotkey, "text:https://example.org/other@" + "0" * 40)
    enter_miners(chain, SETTINGS, tmp_path)
    again = committed(chain)
    assert again[STEADY.hotkey].payload == first[STEADY.hotkey].payload
    assert again[STEADY.hotkey].block_number > first[STEADY.hotkey].block_number
    assert {h: c for h, c in again.items() if h != STEADY.hotkey} == {
        h: c for h, c in first.items() if h != STEADY.hotkey
    }
