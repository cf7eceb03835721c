"""Decide again by the same outcomes, without who is disqualified: a new revision, nothing is overwritten."""

from prefect import flow, get_run_logger

from core.errors import PrerequisiteError
from core.ids import Hotkey, TournamentId
from core.tournament import TournamentState, TournamentStatus
from flows.verdicts import standings_of, title_of
from flows.weights import set_weights
from tasks.dispatch import start_flow
from tasks.runs import remove_finished_runs
from tasks.telling import tell_bracket, tell_standings, tell_title
from tasks.tournaments import disqualify_entrant, load_tournament, record_result, record_revised_title
from tournament.revision import as_of
from tournament.rounds import live_rounds
from tournament.rules import TournamentRules


@flow(name="revise-tournament", flow_run_name="revise-{tournament_id}-{round_number}")
def revise_tournament(tournament_id: str, round_number: int, disqualify: str = "", reason: str = "") -> bool:
    """Write the next revision of a closed round's standings, or of a finished tournament's title.

    When others go through, the rounds after are superseded, and the tournament's own flow draws them anew. Said again,
    it writes nothing more.

    Args:
        round_number: 0 is the title.
        disqualify: Hotkey of an entrant whose results count no longer, in whatever is decided from now on.
        reason: Why; it is published.

    Returns:
        Whether there is a new revision.
    """
    id_ = TournamentId(tournament_id)
    if bool(disqualify) != bool(reason):
        raise PrerequisiteError("a disqualification needs both, the hotkey and the reason")
    _check_there_is(round_number, load_tournament(id_))
    if disqualify:
        disqualify_entrant(id_, Hotkey(disqualify), reason)
    return revise_title(id_) if round_number == 0 else revise_round(id_, round_number)


def _check_there_is(number: int, state: TournamentState) -> None:
    id_, status = state.tournament.tournament_id, state.tournament.status
    if number == 0 and status is not TournamentStatus.FINISHED:
        raise PrerequisiteError(f"tournament {id_} is {status} and has no title yet: name a round")
    if number > 0 and status not in (TournamentStatus.ACTIVE, TournamentStatus.HALTED):
        raise PrerequisiteError(f"tournament {id_} is {status}; only its title can be revised (round 0)")
    live = [round_.plan.number for round_ in live_rounds(state)]
    if number not in (0, *live):
        raise PrerequisiteError(f"tournament {id_} has no round {number} in force; there are: {live}")


def revise_round(id_: TournamentId, number: int) -> bool:
    state = load_tournament(id_)
    standing = next((result for result in state.results if result.number == number), None)
    if standing is None:
        get_run_logger().info("round %s of %s is playing; it will be closed by what is known then", number, id_)
        return False
    found = standings_of(as_of(state, number), number, TournamentRules.model_validate(state.tournament.rules))
    if found.standings == standing.standings:
        get_run_logger().info("round %s of %s: the standings stay as they are", number, id_)
        return False
    revised = found.model_copy(update={"revision": standing.revision + 1})
    record_result(revised)
    remove_finished_runs()
    tell_standings(revised)
    tell_bracket(load_tournament(id_))
    return True


def revise_title(id_: TournamentId) -> bool:
    """The weights follow in any case: a disqualification moves positions, too."""
    state = load_tournament(id_)
    revision = state.tournament.title_revision + 1
    revised = title_of(state, TournamentRules.model_validate(state.tournament.rules))
    is_other = revised != state.tournament.title
    if is_other:
        record_revised_title(id_, revised, revision)
        tell_title(id_, revised)
    start_flow(set_weights, {}, f"{id_}/weights/{revision}/{len(state.disqualified)}")
    return is_other
