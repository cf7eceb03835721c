"""`god ledger show`, and the next date, against the in-memory twins."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import app
from cli.schedule import next_date
from core.chain import Transfer
from core.ports import Ports
from core.tournament import TournamentKind
from gateways import wiring
from gateways.memory import MemoryCompute, memory_ports
from gateways.wiring import use_ports
from tests import builders

ADDRESS = "5Collection"
TEXT = TournamentKind.TEXT


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ports]:
    monkeypatch.setenv("GOD_STATE", str(tmp_path))
    monkeypatch.setenv("GOD_CHAIN__COLLECTION_ADDRESS", ADDRESS)
    wiring.settings.cache_clear()
    with use_ports(memory_ports(MemoryCompute(lambda *_: None, tmp_path))) as ports:  # type: ignore[arg-type,return-value]
        yield ports
    wiring.settings.cache_clear()


def god(*arguments: str) -> tuple[int, str]:
    outcome = CliRunner().invoke(app, arguments)
    return outcome.exit_code, outcome.output


def test_balances_and_what_they_are_the_sum_of(world: Ports) -> None:
    paid = [
        Transfer(transfer_id=f"7-{n}", sender=builders.coldkey(n), amount_rao=500_000_001, block_number=7)
        for n in (1, 2)
    ]
    world.ledger.deposit(ADDRESS, paid, 0, 7)
    id_ = world.tournaments.open(builders.tournament(rules={"fee_rao": 200_000_000})).tournament_id
    world.tournaments.record_entries(id_, builders.entries(1), builders.sha256("seed"))
    code, output = god("ledger", "show")
    assert code == 0 and f"transfers to {ADDRESS} are read until block 7" in output
    assert all(word in output for word in ("0.300000001", "0.500000001", "-0.200000000", "transfer 7-1", f"{id_}, "))
    code, mine = god("ledger", "show", builders.coldkey(1))
    assert code == 0 and builders.coldkey(1) in mine and builders.coldkey(2) not in mine
    _, unknown = god("ledger", "show", builders.coldkey(9))
    assert "0.000000000" in unknown


def test_without_an_address_it_says_that_no_fees_are_taken(world: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOD_CHAIN__COLLECTION_ADDRESS")
    wiring.settings.cache_clear()
    code, output = god("ledger", "show")
    assert code == 0 and "GOD_CHAIN__COLLECTION_ADDRESS is not set" in output


def test_the_next_date_is_told(world: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "opened by hand" in next_date(TEXT) and "open-tournament/default" in next_date(TEXT)
    id_ = world.tournaments.open(builders.tournament()).tournament_id
    assert next_date(TEXT) == f"{id_} is open"
    world.tournaments.cancel(id_, "too few entrants")
    ended = world.tournaments.load(id_).tournament.cancelled_at
    assert ended is not None
    assert f"due on {ended + timedelta(days=1):%Y-%m-%d at %H:%M} UTC, by the rules calibrated" in next_date(TEXT)


def test_a_kind_without_rules_is_opened_by_hand(world: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    world.tournaments.cancel(world.tournaments.open(builders.tournament()).tournament_id, "too few entrants")
    monkeypatch.setenv("GOD_TOURNAMENTS__RULES", '{"image": "classic"}')
    wiring.settings.cache_clear()
    assert "opened by hand" in next_date(TEXT)
    monkeypatch.setenv("GOD_TOURNAMENTS__RULES", '{"text": "classic"}')
    wiring.settings.cache_clear()
    assert "by the rules classic" in next_date(TEXT)
