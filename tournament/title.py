"""The title match: the challenger must beat the champion's frozen code by a margin, on most of the challenges."""

from collections.abc import Sequence
from decimal import Context, Decimal
from fractions import Fraction
from itertools import takewhile
from statistics import median

from core.ids import CHAMPION, Contestant, Hotkey
from core.tournament import Champion, Group, RoundType, TitleChallenge, TitleResult, Tournament, TournamentState
from tournament.rules import TournamentRules
from tournament.scoring import Result, results_of

DIFFERENCE_PLACES = 12
WIDE = Context(prec=1000)
"""Losses are floats: their quotients have at most some 600 digits before the point."""


def threshold(streak: int, rules: TournamentRules) -> Decimal:
    """Relative margin that a challenger must reach: `max(floor, first × factor^(streak − 1))`."""
    return max(rules.title_floor, rules.title_first * rules.title_factor ** (streak - 1))


def crown(state: TournamentState, rules: TournamentRules) -> TitleResult:
    """The end of a tournament whose last round is closed; without a challenger the champion stays."""
    last = state.rounds[-1].plan
    if last.type is RoundType.TITLE:
        return decide_title(state, last.groups[0], rules)
    champion = state.tournament.champion
    return TitleResult(
        challenger=None,
        champion=champion.hotkey,
        threshold=str(threshold(champion.streak, rules)),
        winner=champion.hotkey,
        changed_hands=False,
        why=f"nobody came out of round {last.number} with a valid result",
    )


def decide_title(state: TournamentState, group: Group, rules: TournamentRules) -> TitleResult:
    """The verdict of a played title match. Ties stay with the champion; the majority must be a strict one."""
    champion = state.tournament.champion
    challenger = next(member for member in group.members if member != CHAMPION)
    margin = threshold(champion.streak, rules)
    challenges = [
        _decide(plan.challenge_id, results_of(state, plan.challenge_id), challenger, margin)
        for plan in group.challenges
    ]
    wins = sum(challenge.winner == challenger for challenge in challenges)
    changed = 2 * wins > len(challenges)
    return TitleResult(
        challenger=Hotkey(challenger),
        champion=champion.hotkey,
        threshold=str(margin),
        challenges=tuple(challenges),
        winner=Hotkey(challenger) if changed else champion.hotkey,
        changed_hands=changed,
        performance_difference=str(performance_difference(challenges)),
        why=f"the challenger won {wins} of {len(challenges)} challenges and needed more than half",
    )


def _decide(
    challenge_id: str, results: dict[Contestant, Result], challenger: Contestant, margin: Decimal
) -> TitleChallenge:
    boss, rival = results[CHAMPION], results[challenger]
    winner, why = _verdict(boss.loss, rival.loss, margin)
    return TitleChallenge(
        challenge_id=challenge_id,
        champion_loss=boss.loss,
        challenger_loss=rival.loss,
        winner=challenger if winner else CHAMPION,
        why=why,
    )


def _verdict(boss: float | None, rival: float | None, margin: Decimal) -> tuple[bool, str]:
    """Whether the challenger takes the challenge, and why. Exact: no rounding between the losses and the verdict."""
    if rival is None:
        return False, "the challenger has no valid result"
    if boss is None:
        return True, "only the challenger has a valid result"
    bound = Fraction(boss) * (1 - Fraction(margin))
    relation = "at most" if Fraction(rival) <= bound else "above"
    return Fraction(rival) <= bound, f"the challenger's loss is {relation} {1 - margin} of the champion's"


def performance_difference(challenges: Sequence[TitleChallenge]) -> Decimal:
    """Median over the challenges of (champion − challenger) / challenger, to 12 decimals (half even).

    Challenges with one side missing are left out; 0 when none is left.
    """
    gains = [
        (Fraction(c.champion_loss) - Fraction(c.challenger_loss)) / Fraction(c.challenger_loss)
        for c in challenges
        if c.champion_loss is not None and c.challenger_loss
    ]
    return as_decimal(median(gains)) if gains else Decimal(0)


def as_decimal(value: Fraction) -> Decimal:
    """To 12 decimals, half to even, the same on every machine; exact however large."""
    return Decimal(round(value * 10**DIFFERENCE_PLACES)).scaleb(-DIFFERENCE_PLACES, WIDE)


def next_champion(last: TournamentState) -> Champion:
    """Who defends next: the last finished tournament's winner, with the code that won."""
    tournament, title = last.tournament, last.tournament.title
    if title is None:
        raise ValueError(f"tournament {tournament.tournament_id} is not finished")
    former = tournament.champion
    streak = former.streak + 1 if title.winner == former.hotkey else 1
    if not title.changed_hands:
        return former.model_copy(update={"streak": streak})
    return _crowned(tournament, last, title.winner, streak)


def _crowned(tournament: Tournament, state: TournamentState, winner: Hotkey, streak: int) -> Champion:
    entry = next(entry for entry in state.entries if entry.hotkey == winner)
    if entry.tree is None:
        raise ValueError(f"{tournament.tournament_id}: the winner's source tree is not recorded")
    return Champion(
        hotkey=winner,
        repository=entry.repository,
        commit=entry.commit,
        tree=entry.tree,
        won=tournament.tournament_id,
        streak=streak,
    )


def title_gain(finished: Sequence[Tournament]) -> tuple[int, str]:
    """Streak of the newest winner and the performance difference it won the title with.

    Args:
        finished: Finished tournaments of one kind, newest first, at least one.
    """
    titles = [tournament.title for tournament in finished if tournament.title is not None]
    holder = titles[0].winner
    streak = sum(1 for _ in takewhile(lambda title: title.winner == holder, titles))
    won = next((title for title in titles[:streak] if title.changed_hands), None)
    return streak, won.performance_difference if won else "0"
