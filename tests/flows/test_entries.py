"""From transfers and commitments to frozen entries, fees and, where it comes to that, refunds; and what opens when."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import PrerequisiteError
from core.ids import TournamentId
from core.tournament import EntryStatus, TournamentKind, TournamentState, TournamentStatus
from flows.entries import known_facts
from flows.opening import open_due, open_tournament
from gateways import wiring
from gateways.wiring import use_ports
from tests import builders
from tests.flows.play import Play
from tournament import rules

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

ADDRESS = "5Collection"
FEE = 200
PAID = rules.DEMO.model_copy(update={"name": "paid/1", "fee_rao": FEE, "minimum_entrants": 2})


@pytest.fixture
def paid(inline: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Tournaments cost something, and open by schedule."""
    monkeypatch.setenv("GOD_CHAIN__COLLECTION_ADDRESS", ADDRESS)
    monkeypatch.setenv("GOD_TOURNAMENTS__RULES", '{"text": "paid", "image": "paid"}')
    monkeypatch.setitem(rules.NAMED, "paid", {TournamentKind.TEXT: PAID})
    wiring.settings.cache_clear()
    yield inline


def play_one(play: Play, rules_name: str = "paid") -> TournamentState:
    id_ = open_tournament(rules=rules_name, first_champion=builders.hotkey(0))
    return play.ports.tournaments.load(TournamentId(id_))


def pay(play: Play, number: int, amount_rao: int) -> None:
    play.chain.transfer(builders.coldkey(number), ADDRESS, amount_rao)


def balance(play: Play, number: int) -> int:
    return play.ports.ledger.balances([builders.coldkey(number)])[builders.coldkey(number)]


def test_who_paid_plays_and_is_charged_once(paid: Path) -> None:
    """2 paid too little; 4 is of the coldkey of 1, which has money for one; 5 paid too late; 6 is no entry at all."""
    play = Play(paid, {0: "2.0", 1: "1.0", 2: "1.2", 3: "1.5", 4: "1.1", 5: "1.3"})
    play.chain.register(builders.hotkey(4), builders.coldkey(1), 10**9)
    play.chain.register(builders.hotkey(6), builders.coldkey(6), 10**9)
    play.chain.commit(builders.hotkey(6), "my node is at 10.0.0.1")
    for number, amount in ((1, FEE - 30), (1, 50), (2, FEE - 1), (3, 3 * FEE)):
        pay(play, number, amount)
    with use_ports(play.ports):
        state = play_one(play)
        pay(play, 5, FEE)
    entries = {entry.hotkey: entry for entry in state.entries}
    playing = [n for n in range(7) if entries.get(builders.hotkey(n)) and not entries[builders.hotkey(n)].reason]
    assert playing == [1, 3]
    assert "transfer 1 rao" in entries[builders.hotkey(2)].reason and ADDRESS in entries[builders.hotkey(2)].reason
    assert "leave 20 rao" in entries[builders.hotkey(4)].reason
    assert f"transfer {FEE} rao" in entries[builders.hotkey(5)].reason
    assert "is not of the form" in entries[builders.hotkey(6)].reason
    assert [balance(play, number) for number in (1, 2, 3, 5)] == [20, FEE - 1, 2 * FEE, 0]
    assert play.ports.ledger.read_until(ADDRESS) == state.tournament.closing_block
    assert all(entries[builders.hotkey(n)].tree is None for n in (2, 5, 6)), "nobody has us fetch for nothing"


def test_who_left_the_subnet_later_or_came_later_is_judged_as_of_the_closing_block(paid: Path) -> None:
    """reference §9.1 no. 2: the metagraph is that of the closing block, whenever one looks."""
    play = Play(paid, {0: "2.0", 1: "1.0", 2: "1.2"})
    for number in (1, 2):
        pay(play, number, FEE)
    closing = play.chain.advance(3)
    play.chain.advance(1)
    play.chain.register(builders.hotkey(1), builders.coldkey(7), 5)
    with use_ports(play.ports):
        facts = {fact.hotkey: fact for fact in known_facts(builders.tournament(), closing)}
    assert facts[builders.hotkey(1)].coldkey == builders.coldkey(1)
    assert facts[builders.hotkey(1)].stake_rao == 10**9


def test_too_few_entrants_get_their_fees_back(paid: Path) -> None:
    play = Play(paid, {0: "2.0", 1: "1.0", 2: "1.5"})
    pay(play, 1, FEE)
    with use_ports(play.ports):
        state = play_one(play)
    assert state.tournament.status is TournamentStatus.CANCELLED
    assert [entry.status for entry in state.entries] == [EntryStatus.ACCEPTED, EntryStatus.REFUSED]
    assert [entry.kind for entry in play.ports.ledger.entries()] == ["deposit", "fee", "refund"]
    assert balance(play, 1) == FEE


def test_a_fee_that_nobody_can_pay_is_not_asked_for(inline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rules.NAMED, "paid", {TournamentKind.TEXT: PAID})
    play = Play(inline, {0: "2.0", 1: "1.0"})
    with use_ports(play.ports), pytest.raises(PrerequisiteError, match="GOD_CHAIN__COLLECTION_ADDRESS"):
        play_one(play)
    assert play.ports.tournaments.latest(TournamentKind.TEXT) is None


def test_the_next_one_opens_when_it_is_due_and_one_kind_does_not_keep_another_from_it(
    paid: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody named a champion: the first one is opened by hand; after a cancelled one the same code defends again."""
    play = Play(paid, {0: "2.0", 1: "1.0"})
    with use_ports(play.ports):
        assert open_due() == []
        first = play_one(play)
        assert first.tournament.status is TournamentStatus.CANCELLED
        assert open_due() == [], "the pause has not passed"
        at_once = PAID.model_copy(update={"schedule": rules.Schedule(pause_seconds=0)})
        monkeypatch.setitem(rules.NAMED, "paid", {TournamentKind.TEXT: at_once})
        assert open_due() == ["text-0002"]
    second = play.ports.tournaments.load(TournamentId("text-0002")).tournament
    assert second.champion == first.tournament.champion
