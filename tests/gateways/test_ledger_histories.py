"""Random histories of money, compared step by step with a model that fits on a page."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from core.chain import Transfer
from core.errors import StaleStateError
from core.ids import Coldkey, TournamentId
from core.tournament import Entry, TournamentKind
from gateways.postgres.database import Database
from tests import builders
from tests.gateways.conftest import Stores, memory_stores, postgres_stores

ADDRESS = "5Collection"
SEED = builders.sha256("seed")
KINDS = st.sampled_from(TournamentKind)
MINERS = st.sets(st.integers(1, 6), min_size=1)
"""Two of them to a coldkey."""


@dataclass
class Played:
    """What the model knows of a tournament that is open, or was."""

    id: TournamentId
    fee: int
    entries: Sequence[Entry] = ()


class LedgerHistory(RuleBasedStateMachine):
    def __init__(self, stores: Stores) -> None:
        super().__init__()
        self.stores = stores
        self.money: Counter[Coldkey] = Counter()
        self.transfers: list[Transfer] = []
        self.open: dict[TournamentKind, Played] = {}
        self.cancelled: list[TournamentId] = []
        self.opened = 0

    @rule(miner=st.integers(1, 6), amount=st.integers(1, 400), again=st.integers(0, 3))
    def transfer(self, miner: int, amount: int, again: int) -> None:
        """The last blocks are read once more, along with the new one."""
        block = len(self.transfers)
        sent = Transfer(transfer_id=f"t{block}", sender=coldkey(miner), amount_rao=amount, block_number=block)
        self.transfers.append(sent)
        first = max(0, block - again)
        self.stores.ledger.deposit(ADDRESS, self.transfers[first:], first, block)
        self.money[sent.sender] += amount

    @rule(kind=KINDS, fee=st.integers(0, 300))
    def open_one(self, kind: TournamentKind, fee: int) -> None:
        if kind not in self.open:
            self.opened += 1
            tournament = builders.tournament(self.opened, kind, rules={"fee_rao": fee})
            self.open[kind] = Played(self.stores.tournaments.open(tournament).tournament_id, fee)

    @rule(kind=KINDS, accepted=MINERS, refused=MINERS)
    def judge(self, kind: TournamentKind, accepted: set[int], refused: set[int]) -> None:
        played = self.open.get(kind)
        if played is None or played.entries:
            return
        entries = [*map(entry, sorted(accepted)), *map(builders.refused_entry, sorted(refused - accepted))]
        due = Counter({coldkey: played.fee * n for coldkey, n in Counter(map(coldkey, accepted)).items()})
        if all(self.money[coldkey] >= fee for coldkey, fee in due.items()):
            self.stores.tournaments.record_entries(played.id, entries, SEED)
            self.money.subtract(due)
            played.entries = entries
        else:
            with pytest.raises(StaleStateError, match="does not cover"):
                self.stores.tournaments.record_entries(played.id, entries, SEED)

    @rule(kind=KINDS)
    def judge_again(self, kind: TournamentKind) -> None:
        played = self.open.get(kind)
        if played is not None and played.entries:
            self.stores.tournaments.record_entries(played.id, played.entries, SEED)

    @rule(kind=KINDS)
    def cancel(self, kind: TournamentKind) -> None:
        if (played := self.open.pop(kind, None)) is None:
            return
        self.stores.tournaments.cancel(played.id, "too few entrants")
        self.cancelled.append(played.id)
        for one in played.entries:
            self.money[one.coldkey] += played.fee if one.reason is None else 0

    @rule()
    def cancel_again(self) -> None:
        for id_ in self.cancelled:
            self.stores.tournaments.cancel(id_, "too few entrants")

    @rule(kind=KINDS)
    def finish(self, kind: TournamentKind) -> None:
        if kind in self.open and self.open[kind].entries:
            self.stores.tournaments.crown(self.open.pop(kind).id, builders.title_result())

    @invariant()
    def balances_are_the_models(self) -> None:
        assert self.stores.ledger.balances(list(self.money)) == dict(self.money)
        assert all(balance >= 0 for balance in self.stores.ledger.balances().values())

    @invariant()
    def a_balance_is_the_sum_of_what_happened(self) -> None:
        sums: Counter[Coldkey] = Counter()
        for movement in self.stores.ledger.entries():
            sums[movement.coldkey] += movement.amount_rao
        assert self.stores.ledger.balances() == dict(sums)


def coldkey(miner: int) -> Coldkey:
    return builders.coldkey((miner + 1) // 2)


def entry(miner: int) -> Entry:
    return builders.entry(miner, coldkey=coldkey(miner))


def test_histories_in_memory() -> None:
    run_state_machine_as_test(
        lambda: LedgerHistory(memory_stores()),  # type: ignore[arg-type]
        settings=settings(max_examples=100),
    )


@pytest.mark.postgres
def test_histories_on_postgres(database: Database) -> None:
    def fresh() -> LedgerHistory:
        with database.transaction() as transaction:
            transaction.execute("SET LOCAL session_replication_role = replica")  # no trigger keeps what is recorded
            transaction.execute("TRUNCATE tournaments, ledger, ledger_cursors CASCADE")
        return LedgerHistory(postgres_stores(database))

    run_state_machine_as_test(
        fresh,  # type: ignore[arg-type]
        settings=settings(max_examples=15, stateful_step_count=20),
    )
