"""What only the local chain does: blocks that come with time and outlive the process."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import ChainUnreachableError
from core.value import sha256_hex
from gateways.local_chain import KEPT_BLOCKS, LocalChain
from gateways.postgres.database import Database
from gateways.settings import ChainSettings
from tests import builders
from tests.gateways.conftest import HandClock
from tests.postgres_server import TestServer

pytestmark = pytest.mark.postgres
SETTINGS = ChainSettings(netuid=builders.NETUID, block_seconds=12)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def chain(database: Database, clock: HandClock) -> LocalChain:
    return LocalChain(database, SETTINGS, clock)


def test_a_block_comes_every_so_many_seconds(chain: LocalChain, clock: HandClock) -> None:
    chain.block_number()
    numbers = []
    for _ in range(8):
        clock.advance(5)
        numbers.append(chain.block_number())
    assert numbers == [0, 0, 1, 1, 2, 2, 2, 3]


def test_a_clock_that_goes_back_stops_the_chain_and_changes_nothing(chain: LocalChain, clock: HandClock) -> None:
    chain.block_number()
    clock.advance(120)
    assert chain.block_number() == 10
    clock.advance(-60)
    assert chain.block_number() == 10
    clock.advance(72)
    assert chain.block_number() == 11


def test_another_pace_holds_from_now_on(database: Database, chain: LocalChain, clock: HandClock) -> None:
    chain.block_number()
    clock.advance(120)
    before = [chain.block_hash(number) for number in range(chain.block_number() + 1)]
    faster = LocalChain(database, SETTINGS.model_copy(update={"block_seconds": 1.0}), clock)
    clock.advance(5)
    assert faster.block_number() == 15
    assert [faster.block_hash(number) for number in range(11)] == before


def test_each_hash_follows_from_the_one_before(chain: LocalChain, clock: HandClock) -> None:
    chain.block_number()
    clock.advance(12 * 2_500)
    for number in (1, 999, KEPT_BLOCKS, 1_001, 2_500):
        assert chain.block_hash(number) == sha256_hex(f"{chain.block_hash(number - 1)}/{number}".encode())


def test_nobody_knows_a_chains_hashes_in_advance(
    postgres_server: TestServer, chain: LocalChain, clock: HandClock
) -> None:
    other_dsn = postgres_server.create_database("god_other_chain", template="god_template")
    other = Database(other_dsn)
    assert chain.block_hash(0) != LocalChain(other, SETTINGS, clock).block_hash(0)
    other.close()
    postgres_server.drop_database("god_other_chain")


def test_a_long_pause_is_made_up_for_at_once(database: Database, chain: LocalChain, clock: HandClock) -> None:
    chain.block_number()
    clock.advance(7 * 24 * 3600)
    started = time.monotonic()
    assert chain.block_number() == 50_400
    assert time.monotonic() - started < 5, "some 0.2 s on an idle machine"
    with database.transaction() as transaction:
        (row,) = transaction.execute("SELECT count(*) AS kept FROM chain_blocks").fetchall()
    assert row["kept"] == 52, "genesis, fifty checkpoints and the newest"


def test_all_who_look_at_once_see_one_chain(database: Database, chain: LocalChain, clock: HandClock) -> None:
    def look(_: int) -> tuple[int, str]:
        mine = LocalChain(database, SETTINGS, clock)
        number = mine.block_number()
        return number, mine.block_hash(number)

    clock.advance(1)
    for _ in range(3):
        clock.advance(12 * 700)
        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(look, range(16)))) == 1


def test_registrations_at_once_get_different_uids(chain: LocalChain) -> None:
    with ThreadPoolExecutor(8) as pool:
        uids = pool.map(lambda n: chain.register(builders.hotkey(n), builders.coldkey(n), 1), range(16))
        assert sorted(uids) == list(range(16))


def test_without_a_server_the_chain_is_unreachable(clock: HandClock) -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/none", patience_seconds=0.5)
    with pytest.raises(ChainUnreachableError):
        LocalChain(database, SETTINGS, clock).block_number()
    database.close()
