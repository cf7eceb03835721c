"""Close a tournament's registration: gather what is known of every entry, judge it, freeze the verdicts."""

from collections.abc import Sequence

from core.errors import HostUnreachableError
from core.ids import Hotkey
from core.tournament import EntryClaim, Tournament, TournamentState
from tasks.chain import block_hash, commitments, metagraph
from tasks.ledger import balances, collection_address, read_transfers
from tasks.registration import FetchedEntry, fetch_entry
from tasks.telling import tell_entries
from tasks.tournaments import completed_entries, record_entries
from tournament.eligibility import EntryFacts, early_objection, is_entry, judge_entries
from tournament.rules import TournamentRules


def collect_entries(state: TournamentState, closing_block: int, rules: TournamentRules) -> None:
    """Judge everybody who had committed an entry by the closing block; its hash becomes the seed."""
    tournament = state.tournament
    read_transfers(closing_block)
    facts = with_repositories(known_facts(tournament, closing_block), rules)
    entries = judge_entries(facts, tournament.champion, rules, collection_address())
    record_entries(tournament.tournament_id, entries, block_hash(closing_block))
    tell_entries(tournament.tournament_id, entries)


def known_facts(tournament: Tournament, closing_block: int) -> list[EntryFacts]:
    """What chain and ledger say of each entry, as of the closing block."""
    neurons = {neuron.hotkey: neuron for neuron in metagraph(tournament.netuid, closing_block).neurons}
    committed = commitments(tournament.netuid, closing_block)
    entered = {c.hotkey: c for c in committed if c.hotkey in neurons and is_entry(c.payload, tournament.kind)}
    money = balances({neurons[hotkey].coldkey for hotkey in entered}, closing_block)
    completed = completed_entries()
    return [
        EntryFacts(
            hotkey=hotkey,
            coldkey=neurons[hotkey].coldkey,
            stake_rao=neurons[hotkey].stake_rao,
            payload=commitment.payload,
            registered_block=commitment.block_number,
            balance_rao=money[neurons[hotkey].coldkey],
            completed=completed.get(hotkey, 0),
        )
        for hotkey, commitment in entered.items()
    ]


def with_repositories(known: Sequence[EntryFacts], rules: TournamentRules) -> list[EntryFacts]:
    """The same, with what is in the repositories of those against whom nothing speaks yet."""
    fetched = fetch_entries([fact for fact in known if early_objection(fact, rules) is None])
    return [fact.model_copy(update=dict(fetched[fact.hotkey])) if fact.hotkey in fetched else fact for fact in known]


def fetch_entries(wanted: Sequence[EntryFacts]) -> dict[Hotkey, FetchedEntry]:
    """Fetch them side by side. One host that never answers refuses its entry; when none answers, it is our network."""
    runs = [fetch_entry.submit(EntryClaim.parse(fact.payload)) for fact in wanted]
    results: list[FetchedEntry | BaseException] = [run.result(raise_on_failure=False) for run in runs]
    errors = [result for result in results if isinstance(result, BaseException)]
    ours = [error for error in errors if not isinstance(error, HostUnreachableError)]
    if ours or (errors and len(errors) == len(results)):
        raise (ours or errors)[0]
    fetched = [unanswered(result) if isinstance(result, BaseException) else result for result in results]
    return {fact.hotkey: entry for fact, entry in zip(wanted, fetched, strict=True)}


def unanswered(error: BaseException) -> FetchedEntry:
    return FetchedEntry(
        refusal=f"the repository's host did not answer in time, while others did ({error}); enter the next tournament, "
        "from a host that answers"
    )
