"""The promises of `core.ports.Ledger`, and of the fees that `Tournaments` writes, kept by PostgreSQL and in memory."""

import pytest

from core.chain import Transfer
from core.errors import StaleStateError
from core.ids import TournamentId as Id
from core.ledger import LedgerKind
from core.tournament import TournamentKind
from tests import builders
from tests.gateways.conftest import Stores

ADDRESS = "5Collection"
FEE = 200
SEED = builders.sha256("seed")


def transfer(number: int, sender: int = 1, amount_rao: int = FEE, block: int = 5) -> Transfer:
    """By miner `sender`'s coldkey."""
    return Transfer(
        transfer_id=f"t{number}", sender=builders.coldkey(sender), amount_rao=amount_rao, block_number=block
    )


def deposit(stores: Stores, *transfers: Transfer) -> None:
    """Read on by a block."""
    block = stores.ledger.read_until(ADDRESS) + 1
    stores.ledger.deposit(ADDRESS, transfers, block, block)


def pay(stores: Stores, *amounts: int) -> None:
    """From the coldkeys 1, 2, …"""
    deposit(stores, *(transfer(n, sender=n, amount_rao=amount) for n, amount in enumerate(amounts, 1)))


def open_one(stores: Stores, number: int = 1, kind: TournamentKind = TournamentKind.TEXT, fee: int = FEE) -> Id:
    return stores.tournaments.open(builders.tournament(number, kind, rules={"fee_rao": fee})).tournament_id


def balance(stores: Stores, number: int = 1) -> int:
    return stores.ledger.balances([builders.coldkey(number)])[builders.coldkey(number)]


def kinds(stores: Stores, number: int = 1) -> list[str]:
    return [entry.kind.value for entry in stores.ledger.entries(builders.coldkey(number))]


# Deposits


def test_a_transfer_becomes_balance(stores: Stores) -> None:
    with stores.tells_of(f"coldkey:{builders.coldkey(1)}"):
        deposit(stores, transfer(1, amount_rao=5), transfer(2, amount_rao=7), transfer(3, sender=2))
    assert stores.ledger.balances() == {builders.coldkey(1): 12, builders.coldkey(2): FEE}
    first, second = stores.ledger.entries(builders.coldkey(1))
    assert (first.kind, first.amount_rao, first.transfer_id) == (LedgerKind.DEPOSIT, 5, "t1")
    assert second.entry_id > first.entry_id and first.at.tzinfo is not None and first.block_number == 5
    assert [entry.transfer_id for entry in stores.ledger.entries()] == ["t1", "t2", "t3"]


def test_who_never_paid_has_nothing(stores: Stores) -> None:
    assert balance(stores) == 0
    assert stores.ledger.balances() == {} and stores.ledger.balances([]) == {}
    assert stores.ledger.entries(builders.coldkey(1)) == []


def test_a_transfer_is_entered_once(stores: Stores) -> None:
    """reference §9.1 no. 7: a credit that failed half-way was lost for good."""
    stores.ledger.deposit(ADDRESS, [transfer(1)], 0, 5)
    with stores.tells_nothing():
        stores.ledger.deposit(ADDRESS, [transfer(1)], 0, 5)
    stores.ledger.deposit(ADDRESS, [transfer(1), transfer(2, block=6)], 3, 6)
    assert balance(stores) == 2 * FEE and stores.ledger.read_until(ADDRESS) == 6


def test_reading_goes_on_where_it_ended_and_never_back(stores: Stores) -> None:
    assert stores.ledger.read_until(ADDRESS) == -1
    stores.ledger.deposit(ADDRESS, [], 0, 9)
    stores.ledger.deposit(ADDRESS, [], 0, 4)
    assert stores.ledger.read_until(ADDRESS) == 9
    assert stores.ledger.read_until("5Another") == -1


def test_no_block_is_left_out(stores: Stores) -> None:
    """reference §9.1 no. 6: the reading jumped to the newest transfer and lost those in between."""
    stores.ledger.deposit(ADDRESS, [], 0, 9)
    with pytest.raises(StaleStateError, match="until block 9"):
        stores.ledger.deposit(ADDRESS, [transfer(1, block=12)], 11, 12)
    assert balance(stores) == 0 and stores.ledger.read_until(ADDRESS) == 9


def test_what_came_later_can_be_left_out(stores: Stores) -> None:
    stores.ledger.deposit(ADDRESS, [transfer(1, block=5), transfer(2, block=6)], 0, 6)
    mine = builders.coldkey(1)
    balances = [stores.ledger.balances([mine], at_block=block)[mine] for block in (4, 5, 6)]
    assert balances == [0, FEE, 2 * FEE]
    stores.tournaments.record_entries(open_one(stores), builders.entries(1), SEED)
    assert stores.ledger.balances(at_block=4) == {mine: -FEE}


# Fees


def test_every_accepted_entry_pays_once(stores: Stores) -> None:
    pay(stores, FEE, FEE + 5, FEE)
    entries = [*builders.entries(2), builders.refused_entry(3)]
    id_ = open_one(stores)
    stores.tournaments.record_entries(id_, entries, SEED)
    assert [balance(stores, number) for number in (1, 2, 3)] == [0, 5, FEE], "who is refused pays nothing"
    (_, fee) = stores.ledger.entries(builders.coldkey(1))
    assert (fee.kind, fee.amount_rao, fee.tournament_id, fee.hotkey) == ("fee", -FEE, id_, builders.hotkey(1))
    with stores.tells_nothing():
        stores.tournaments.record_entries(id_, entries, SEED)
    assert kinds(stores) == ["deposit", "fee"]


def test_a_tournament_without_a_fee_charges_nobody(stores: Stores) -> None:
    stores.tournaments.record_entries(open_one(stores, fee=0), builders.entries(2), SEED)
    id_ = stores.tournaments.open(builders.tournament(kind=TournamentKind.IMAGE)).tournament_id
    stores.tournaments.record_entries(id_, builders.entries(2), SEED)
    assert stores.ledger.entries() == []


def test_nine_entrants_of_whom_seven_are_fit_at_first_pay_once_each(stores: Stores) -> None:
    """reference §11.2 no. 2: whoever was in already was charged again with each pass (§9.1 no. 1)."""
    pay(stores, *[10 * FEE] * 9)
    id_ = open_one(stores)
    unanswered = [builders.refused_entry(number, "the host did not answer") for number in (8, 9)]
    first_pass, second_pass = [*builders.entries(7), *unanswered], builders.entries(9)
    assert len(first_pass) == 9  # judged, and then the process died: nothing was recorded
    for _ in range(2):  # the second time as after an answer that was lost
        stores.tournaments.record_entries(id_, second_pass, SEED)
    with pytest.raises(StaleStateError):
        stores.tournaments.record_entries(id_, first_pass, SEED)
    assert [kinds(stores, number) for number in range(1, 10)] == [["deposit", "fee"]] * 9
    assert set(stores.ledger.balances().values()) == {9 * FEE}


def test_when_the_passes_were_recorded_the_other_way_round_nobody_pays_for_the_second(stores: Stores) -> None:
    pay(stores, *[10 * FEE] * 9)
    id_ = open_one(stores)
    stores.tournaments.record_entries(id_, builders.entries(7), SEED)
    with pytest.raises(StaleStateError):
        stores.tournaments.record_entries(id_, builders.entries(9), SEED)
    assert [len(kinds(stores, number)) - 1 for number in range(1, 10)] == [1] * 7 + [0] * 2


def test_a_fee_that_is_not_covered_leaves_everything_as_it_was(stores: Stores) -> None:
    pay(stores, FEE, FEE - 1, FEE)
    id_ = open_one(stores)
    with stores.tells_nothing(), pytest.raises(StaleStateError, match=f"{FEE - 1} rao, does not cover the fee"):
        stores.tournaments.record_entries(id_, builders.entries(3), SEED)
    assert stores.tournaments.load(id_).entries == () and stores.tournaments.load(id_).tournament.seed is None
    assert [balance(stores, number) for number in (1, 2, 3)] == [FEE, FEE - 1, FEE]
    stores.tournaments.record_entries(id_, [builders.entry(1), builders.refused_entry(2)], SEED)
    assert [balance(stores, number) for number in (1, 2, 3)] == [0, FEE - 1, FEE]


def test_two_hotkeys_of_a_coldkey_share_its_balance(stores: Stores) -> None:
    pay(stores, 2 * FEE - 1)
    id_ = open_one(stores)
    both = [builders.entry(1), builders.entry(2, coldkey=builders.coldkey(1))]
    with pytest.raises(StaleStateError, match=builders.hotkey(2)):
        stores.tournaments.record_entries(id_, both, SEED)
    deposit(stores, transfer(50, amount_rao=1))
    stores.tournaments.record_entries(id_, both, SEED)
    assert balance(stores) == 0 and kinds(stores).count("fee") == 2


def test_two_kinds_of_tournament_share_a_balance(stores: Stores) -> None:
    pay(stores, FEE)
    text, image = open_one(stores), open_one(stores, kind=TournamentKind.IMAGE)
    stores.tournaments.record_entries(text, builders.entries(1), SEED)
    with pytest.raises(StaleStateError, match="does not cover"):
        stores.tournaments.record_entries(image, builders.entries(1), SEED)
    assert balance(stores) == 0


# Refunds


def test_fees_of_a_cancelled_tournament_go_back_once(stores: Stores) -> None:
    """reference §11.2 no. 3: each repetition paid twice what the one before did (§9.1 no. 5)."""
    pay(stores, FEE, 3 * FEE)
    id_ = open_one(stores)
    stores.tournaments.record_entries(id_, [*builders.entries(2), builders.refused_entry(3)], SEED)
    stores.tournaments.cancel(id_, "too few entrants")
    paid_back = stores.ledger.balances()
    assert paid_back == {builders.coldkey(1): FEE, builders.coldkey(2): 3 * FEE}
    with stores.tells_nothing():
        for _ in range(3):
            stores.tournaments.cancel(id_, "too few entrants")
    assert stores.ledger.balances() == paid_back and kinds(stores) == ["deposit", "fee", "refund"]


def test_only_the_cancelled_tournaments_fees_go_back(stores: Stores) -> None:
    pay(stores, 3 * FEE)
    text, image = open_one(stores), open_one(stores, kind=TournamentKind.IMAGE)
    for id_ in (text, image):
        stores.tournaments.record_entries(id_, builders.entries(1), SEED)
    stores.tournaments.cancel(image, "the operator says so")
    assert balance(stores) == 2 * FEE
    (_, _, _, refund) = stores.ledger.entries(builders.coldkey(1))
    assert (refund.kind, refund.tournament_id, refund.hotkey) == (LedgerKind.REFUND, image, builders.hotkey(1))


def test_before_the_entries_are_frozen_there_is_nothing_to_give_back(stores: Stores) -> None:
    pay(stores, FEE)
    stores.tournaments.cancel(open_one(stores), "the operator says so")
    assert kinds(stores) == ["deposit"]


def test_a_cancelled_tournament_says_since_when(stores: Stores) -> None:
    id_ = open_one(stores)
    assert stores.tournaments.load(id_).tournament.cancelled_at is None
    stores.tournaments.cancel(id_, "too few entrants")
    cancelled = stores.tournaments.load(id_).tournament.cancelled_at
    assert cancelled is not None and cancelled.tzinfo is not None
    stores.tournaments.cancel(id_, "too few entrants")
    assert stores.tournaments.load(id_).tournament.cancelled_at == cancelled


# Completed entries


def test_only_accepted_entries_of_finished_tournaments_are_completed(stores: Stores) -> None:
    assert stores.tournaments.completed_entries() == {}
    for number, kind in enumerate(TournamentKind, 1):
        id_ = open_one(stores, number, kind, fee=0)
        stores.tournaments.record_entries(id_, [builders.entry(1), builders.refused_entry(number + 1)], SEED)
        assert dict(stores.tournaments.completed_entries()) == ({builders.hotkey(1): number - 1} if number > 1 else {})
        stores.tournaments.crown(id_, builders.title_result())
    cancelled = open_one(stores, 3, fee=0)
    stores.tournaments.record_entries(cancelled, builders.entries(1), SEED)
    stores.tournaments.cancel(cancelled, "the operator says so")
    assert dict(stores.tournaments.completed_entries()) == {builders.hotkey(1): 2}
