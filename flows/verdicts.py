"""What the rules make of recorded outcomes: the standings of a round, the title."""

from core.evaluation import Evaluation, Scored
from core.tournament import RoundResult, RoundType, TitleResult, TournamentState
from tasks.evaluations import load_examples
from tournament.ranking import close_round
from tournament.rounds import challenges_of_type
from tournament.rules import TournamentRules
from tournament.title import crown


def standings_of(state: TournamentState, number: int, rules: TournamentRules) -> RoundResult:
    """Of the last round in a state, by its outcomes; a pair that meets again brings its earlier rounds along."""
    round_ = next(round_ for round_ in state.rounds if round_.plan.number == number)
    return close_round(state, round_, rules, load_examples(scored(state, round_.plan.type)))


def title_of(state: TournamentState, rules: TournamentRules) -> TitleResult:
    return crown(state, rules, load_examples(scored(state, RoundType.TITLE)))


def scored(state: TournamentState, type_: RoundType) -> list[Evaluation]:
    """Evaluations with a value, of the rounds in force of a type."""
    challenges = {challenge.challenge_id for challenge in challenges_of_type(state, type_)}
    return [e for e in state.evaluations if e.challenge_id in challenges and isinstance(e.outcome, Scored)]
