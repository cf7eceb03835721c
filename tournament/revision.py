"""Looking back at a round, to decide it again by what is known now."""

from core.tournament import TournamentState


def as_of(state: TournamentState, number: int) -> TournamentState:
    """The state as a round's standings are decided by it: nothing was drawn since, and this round is not closed yet.

    Outcomes and disqualifications are those of now.
    """
    return state.model_copy(
        update={
            "rounds": tuple(round_ for round_ in state.rounds if round_.plan.number <= number),
            "results": tuple(result for result in state.results if result.number < number),
        }
    )
