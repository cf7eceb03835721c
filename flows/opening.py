"""Open the next tournament of a kind: by hand at any time, or by schedule when it is due."""

from datetime import UTC, datetime
from pathlib import Path

from prefect import flow, get_run_logger

from core.challenge import ChallengeKind
from core.errors import GodError, PrerequisiteError, SubmissionError
from core.ids import Hotkey, tournament_id
from core.tournament import Champion, EntryClaim, Tournament, TournamentKind, TournamentStatus
from flows.tournament import run_tournament
from tasks.chain import commitments, current_block, subnet
from tasks.dispatch import start_flow
from tasks.ledger import collection_address
from tasks.registration import fetch_entry, text_sha256
from tasks.schedule import scheduled_rules
from tasks.tournaments import finished_tournaments, latest_tournament, load_tournament, open_row
from tournament.budget import with_budget
from tournament.eligibility import is_entry
from tournament.rules import TournamentRules, named, with_kinds
from tournament.schedule import is_due
from tournament.title import next_champion

TEMPLATE = Path(__file__).resolve().parent.parent / "miner_templates" / "text"


@flow(name="open-tournament", flow_run_name="open-{kind}")
def open_tournament(
    kind: TournamentKind = TournamentKind.TEXT,
    rules: str = "calibrated",
    first_champion: str = "",
    challenge_kinds: tuple[ChallengeKind, ...] = (),
) -> str:
    """Open a tournament unless one of its kind is open already, and start it. Returns its id.

    Args:
        rules: A named rule set.
        first_champion: Hotkey whose committed code defends while nobody has won a title yet.
        challenge_kinds: Kinds that are set in place of the rules' own: each once in the title match.
    """
    in_force = with_kinds(named(rules, kind), challenge_kinds)
    opened = open_row(_next_tournament(kind, in_force, first_champion))
    get_run_logger().info("tournament %s: entries until block %s", opened.tournament_id, opened.closing_block)
    start_flow(run_tournament, {"tournament_id": opened.tournament_id}, f"{opened.tournament_id}/opening")
    return opened.tournament_id


@flow(name="open-due", flow_run_name="open-due")
def open_due() -> list[str]:
    """Open every kind whose next tournament is due by the schedule of its rules. Returns the ids of the new ones."""
    opened, failures = [], []
    for kind, rules in scheduled_rules().items():
        try:
            if _is_due(kind, rules):
                opened.append(open_tournament(kind, rules))
        except (GodError, ValueError) as error:  # one kind does not keep another from opening
            failures.append(error)
    if failures:
        raise failures[0]
    return opened


def _is_due(kind: TournamentKind, rules: str) -> bool:
    newest = latest_tournament(kind)
    if newest is None:
        get_run_logger().info("the first %s tournament is opened by hand: it needs a first_champion", kind)
        return False
    return is_due(newest, named(rules, kind).schedule, datetime.now(UTC))


def _next_tournament(kind: TournamentKind, rules: TournamentRules, first_champion: str) -> Tournament:
    netuid, _ = subnet()
    block = current_block()
    closing_block = block + _payable(rules).window_blocks
    newest = latest_tournament(kind)
    number = 1 if newest is None else int(newest.tournament_id.rsplit("-", 1)[1]) + 1
    terms = with_budget(_with_licence(rules), finished_tournaments(kind), closing_block)
    return Tournament(
        tournament_id=tournament_id(kind, number),
        kind=kind,
        status=TournamentStatus.COLLECTING,
        netuid=netuid,
        rules=terms.model_dump(mode="json"),
        opened_block=block,
        closing_block=closing_block,
        champion=_champion(newest, kind, netuid, block, Hotkey(first_champion)),
    )


def _payable(rules: TournamentRules) -> TournamentRules:
    """Nobody is asked for a fee that cannot be paid."""
    if rules.fee_rao and not collection_address():
        raise PrerequisiteError(
            f"the rules {rules.name} ask for a fee of {rules.fee_rao} rao, and there is no address to pay it to: "
            "name one by GOD_CHAIN__COLLECTION_ADDRESS, or open by rules without a fee"
        )
    return rules


def _with_licence(rules: TournamentRules) -> TournamentRules:
    """Entries carry the licence and notice that our templates carry."""
    licence, notice = text_sha256(TEMPLATE / "LICENSE"), text_sha256(TEMPLATE / "NOTICE")
    if licence is None or notice is None:
        raise PrerequisiteError(f"LICENSE or NOTICE is missing in {TEMPLATE}: entries could not be held against it")
    return rules.model_copy(update={"licence_sha256": licence, "notice_sha256": notice})


def _champion(
    newest: Tournament | None, kind: TournamentKind, netuid: int, block: int, first_champion: Hotkey
) -> Champion:
    """The last finished tournament's winner; before there is one, the code that `first_champion` committed.

    Without that name it is the code that defended in the newest tournament, which was cancelled.
    """
    if finished := finished_tournaments(kind):
        return next_champion(load_tournament(finished[0].tournament_id))
    if newest is not None and not first_champion:
        return newest.champion
    return _first_champion(kind, netuid, block, first_champion)


def _first_champion(kind: TournamentKind, netuid: int, block: int, hotkey: Hotkey) -> Champion:
    try:
        claim = _claim(kind, netuid, block, hotkey)
        fetched = fetch_entry(claim)
        if fetched.tree is None:
            raise SubmissionError(fetched.refusal or "there is no source tree")
    except SubmissionError as error:
        raise ValueError(
            f"no {kind} tournament was ever finished, and the code of the first champion {hotkey!r} cannot be had: "
            f"{error}; name a hotkey in first_champion that has committed an entry"
        ) from error
    return Champion(hotkey=hotkey, repository=claim.repository, commit=claim.commit, tree=fetched.tree, won=None)


def _claim(kind: TournamentKind, netuid: int, block: int, hotkey: Hotkey) -> EntryClaim:
    payload = next((c.payload for c in commitments(netuid, block) if c.hotkey == hotkey), None)
    if payload is None or not is_entry(payload, kind):
        raise SubmissionError(f"it has committed no {kind} entry")
    return EntryClaim.parse(payload)
