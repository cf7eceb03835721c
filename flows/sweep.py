"""Put right what was lost: tournaments that nobody carries, weights that were not set, runs that nobody needs."""

import time

from prefect import flow, get_run_logger
from pydantic import ValidationError

from core.ids import TournamentId
from core.tournament import TitleResult, Tournament, TournamentKind
from flows.tournament import run_tournament
from flows.weights import set_weights
from tasks.chain import current_block
from tasks.dispatch import start_flow
from tasks.leases import live_owners, release_leftovers
from tasks.runs import remove_finished_runs
from tasks.tournaments import finished_tournaments, open_tournaments
from tasks.weights import get_evidence, latest_setting
from tournament.evidence import Evidence

REVIVE_SECONDS = 30
"""A tournament is revived at most once in this time; a second flow run would only find the lease held."""


@flow(name="sweep", flow_run_name="sweep")
def sweep() -> None:
    """Cheap when all is well. Every step may be done again."""
    if released := release_leftovers():
        get_run_logger().info("released what dead flow runs held for %s", ", ".join(released))
    revive_tournaments()
    set_missing_weights()
    if removed := remove_finished_runs():
        get_run_logger().info("removed the container runs %s", ", ".join(removed))


def revive_tournaments() -> None:
    carried = live_owners()
    moment = int(time.time()) // REVIVE_SECONDS
    for state in open_tournaments():
        id_ = state.tournament.tournament_id
        if id_ not in carried and not waits_for_operator(state.tournament):
            get_run_logger().info("nobody carries tournament %s; starting it again", id_)
            start_flow(run_tournament, {"tournament_id": id_}, f"{id_}/{moment}")


def waits_for_operator(tournament: Tournament) -> bool:
    """It is halted, and there is still time to decide; after that, its flow cancels it."""
    return tournament.halted is not None and current_block() < tournament.halted.decide_by_block


def set_missing_weights() -> None:
    """Start `set-weights` when the newest titles are not those of the last confirmed setting."""
    newest = [finished[0] for kind in TournamentKind if (finished := finished_tournaments(kind))]
    titles = {tournament.tournament_id: tournament.title for tournament in newest}
    if titles and titles != _weighed():
        start_flow(set_weights, {}, f"{'+'.join(sorted(titles))}/{int(time.time()) // REVIVE_SECONDS}")


def _weighed() -> dict[TournamentId, TitleResult]:
    """Titles of the last confirmed setting; none of evidence that an older version wrote."""
    setting = latest_setting()
    if setting is None or setting.block_number is None:
        return {}
    try:
        evidence = Evidence.model_validate_json(get_evidence(setting.evidence))
    except ValidationError:
        return {}
    return {tournament.tournament_id: tournament.title for tournament in evidence.tournaments}
