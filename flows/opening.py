"""Open the next tournament of a kind."""

from pathlib import Path

from prefect import flow, get_run_logger

from core.ids import tournament_id
from core.tournament import Champion, EntryClaim, Tournament, TournamentKind, TournamentStatus
from flows.tournament import run_tournament
from tasks.chain import commitments, current_block, subnet
from tasks.dispatch import start_flow
from tasks.registration import fetch_entry, text_sha256
from tasks.tournaments import finished_tournaments, latest_tournament, load_tournament, open_row
from tournament.rules import TournamentRules, named
from tournament.title import next_champion

HOUSE = Path(__file__).resolve().parent.parent


@flow(name="open-tournament", flow_run_name="open-{kind}")
def open_tournament(
    kind: TournamentKind = TournamentKind.TEXT, rules: str = "classic", first_champion: str = ""
) -> str:
    """Open a tournament unless one of its kind is open already, and start it. Returns its id.

    Args:
        rules: A named rule set.
        first_champion: Hotkey whose committed code defends while nobody has won a title yet.
    """
    opened = open_row(_next_tournament(kind, rules, first_champion))
    get_run_logger().info("tournament %s: entries until block %s", opened.tournament_id, opened.closing_block)
    start_flow(run_tournament, {"tournament_id": opened.tournament_id}, f"{opened.tournament_id}/opening")
    return opened.tournament_id


def _next_tournament(kind: TournamentKind, rules_name: str, first_champion: str) -> Tournament:
    netuid, _ = subnet()
    block, rules = current_block(), _with_licence(named(rules_name))
    latest = latest_tournament(kind)
    number = 1 if latest is None else int(latest.tournament_id.rsplit("-", 1)[1]) + 1
    return Tournament(
        tournament_id=tournament_id(kind, number),
        kind=kind,
        status=TournamentStatus.COLLECTING,
        netuid=netuid,
        rules=rules.model_dump(mode="json"),
        opened_block=block,
        closing_block=block + rules.window_blocks,
        champion=_champion(kind, netuid, block, first_champion),
    )


def _with_licence(rules: TournamentRules) -> TournamentRules:
    """Entries carry the licence and notice that the template carries."""
    template = HOUSE / "miner_templates" / "text"
    hashes = {
        "licence_sha256": text_sha256(template / "LICENSE"),
        "notice_sha256": text_sha256(template / "NOTICE"),
    }
    return rules.model_copy(update=hashes)


def _champion(kind: TournamentKind, netuid: int, block: int, first_champion: str) -> Champion:
    """The last finished tournament's winner; before there is one, the code that `first_champion` committed."""
    finished = finished_tournaments(kind)
    if finished:
        return next_champion(load_tournament(finished[0].tournament_id))
    return _first_champion(kind, netuid, block, first_champion)


def _first_champion(kind: TournamentKind, netuid: int, block: int, hotkey: str) -> Champion:
    commitment = next((c for c in commitments(netuid, block) if c.hotkey == hotkey), None)
    fetched = fetch_entry(commitment, kind) if commitment else None
    if commitment is None or fetched is None or fetched.tree is None:
        reason = fetched.refusal if fetched else "it has committed none"
        raise ValueError(
            f"no {kind} tournament was ever finished, and the code of the first champion {hotkey!r} cannot be had: "
            f"{reason}; name a hotkey in first_champion that has committed an entry"
        )
    claim = EntryClaim.parse(commitment.payload)
    return Champion(
        hotkey=commitment.hotkey,
        repository=claim.repository,
        commit=claim.commit,
        tree=fetched.tree,
        won=None,
    )
