"""The title match: both codes train on the same new challenges; `margin` or `pooled` rules say who holds the title."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import takewhile
from statistics import median

from core.challenge import Direction
from core.ids import CHAMPION, MIRROR, Contestant, Hotkey
from core.tournament import (
    Champion,
    RoundStatus,
    RoundType,
    TitleChallenge,
    TitleResult,
    Tournament,
    TournamentState,
)
from tournament.merit import as_decimal, shown
from tournament.pooled import Verdict, clipped, judge_gains, test_of
from tournament.results import Examples, error_of, gain_of
from tournament.rounds import challenges_of_type, live_rounds
from tournament.rules import MarginTitle, PooledTitle, TournamentRules
from tournament.scoring import Result, results_of

SPARE_CHALLENGES = 6
"""So many challenges that we failed at are played again; with more of them the match ends undecided."""
NOTHING = Verdict(is_decided=True, takes=False, why="our side failed at every challenge; the champion stays")


def threshold(streak: int, title: MarginTitle) -> Decimal:
    """Relative margin that a challenger must reach: `max(floor, first × factor^(streak − 1))`."""
    return max(title.floor, title.first * title.factor ** (streak - 1))


def title_gains(state: TournamentState, rules: TournamentRules) -> list[Decimal]:
    """The challenger's gains on the challenges that count, in their order, as they enter the pooled test."""
    if not isinstance(rules.title, PooledTitle):
        return []
    pairs = [(result[CHAMPION], result[challenger_of(state)]) for result in _title_results(state, rules)]
    return [
        clipped(champion, challenger, rules.title) for champion, challenger in pairs if _counts(champion, challenger)
    ]


def challenges_to_play(state: TournamentState, rules: TournamentRules) -> int:
    """Challenges that the title match still needs before its next decision; 0: it is decided."""
    played = len(challenges_of_type(state, RoundType.TITLE))
    if not isinstance(rules.title, PooledTitle):
        return 0 if played else len(rules.title_kinds)
    if played >= rules.title.looks[-1] + SPARE_CHALLENGES:
        return 0
    gains = title_gains(state, rules)
    is_over = bool(gains) and judge_gains(gains, rules.title).is_decided
    return 0 if is_over else next(look for look in rules.title.looks if look > len(gains)) - len(gains)


def crown(state: TournamentState, rules: TournamentRules, examples: Examples) -> TitleResult:
    """The end of a tournament whose last round is closed; without a challenger the champion stays."""
    last = live_rounds(state)[-1].plan
    if last.type is not RoundType.TITLE:
        return _undisputed(state, rules, f"nobody came out of round {last.number} with a valid result")
    match rules.title:
        case MarginTitle() as title:
            return _by_margin(state, rules, threshold(state.tournament.champion.streak, title))
        case PooledTitle() as title:
            return _by_pool(state, rules, title, examples)


def _undisputed(state: TournamentState, rules: TournamentRules, why: str) -> TitleResult:
    champion = state.tournament.champion
    return TitleResult(
        challenger=None,
        champion=champion.hotkey,
        threshold=_threshold(state, rules),
        winner=champion.hotkey,
        changed_hands=False,
        why=why,
    )


def _threshold(state: TournamentState, rules: TournamentRules) -> str:
    title = rules.title
    return str(threshold(state.tournament.champion.streak, title) if isinstance(title, MarginTitle) else title.floor)


def challenger_of(state: TournamentState) -> Contestant:
    """Raises ValueError when there is no title match."""
    members = next((r.plan.groups[0].members for r in live_rounds(state) if r.plan.type is RoundType.TITLE), ())
    challenger = next((member for member in members if member not in (CHAMPION, MIRROR)), None)
    if challenger is None:
        raise ValueError(f"tournament {state.tournament.tournament_id} has no title match")
    return challenger


def _title_results(state: TournamentState, rules: TournamentRules) -> list[dict[Contestant, Result]]:
    """Of the title's challenges in closed rounds, in their order."""
    played = challenges_of_type(state, RoundType.TITLE, RoundStatus.CLOSED)
    return [results_of(state, challenge.challenge_id, rules) for challenge in played]


def _counts(champion: Result, challenger: Result) -> bool:
    return not (champion.is_void or challenger.is_void)


def title_winner(state: TournamentState, rules: TournamentRules) -> Contestant:
    """CHAMPION or the challenger, of a decided match."""
    return challenger_of(state) if crown(state, rules, {}).changed_hands else CHAMPION


def _by_margin(state: TournamentState, rules: TournamentRules, margin: Decimal) -> TitleResult:
    """Ties stay with the champion; the majority must be a strict one."""
    champion, challenger = state.tournament.champion, challenger_of(state)
    challenges = [_margin_challenge(id_, results, challenger, margin) for id_, results in _played(state, rules)]
    counted = [challenge for challenge in challenges if challenge.winner is not None]
    wins = sum(challenge.winner == challenger for challenge in counted)
    changed = 2 * wins > len(counted)
    return TitleResult(
        challenger=Hotkey(challenger),
        champion=champion.hotkey,
        threshold=_threshold(state, rules),
        challenges=tuple(challenges),
        winner=Hotkey(challenger) if changed else champion.hotkey,
        changed_hands=changed,
        performance_difference=shown(performance_difference(challenges, rules)),
        why=f"the challenger won {wins} of {len(counted)} challenges and needed more than half",
    )


def _played(state: TournamentState, rules: TournamentRules) -> list[tuple[str, dict[Contestant, Result]]]:
    ids = [c.challenge_id for c in challenges_of_type(state, RoundType.TITLE, RoundStatus.CLOSED)]
    return list(zip(ids, _title_results(state, rules), strict=True))


def _margin_challenge(
    challenge_id: str, results: dict[Contestant, Result], challenger: Contestant, margin: Decimal
) -> TitleChallenge:
    boss, rival = results[CHAMPION], results[challenger]
    winner, why = _verdict(boss, rival, margin)
    return TitleChallenge(
        challenge_id=challenge_id,
        direction=boss.direction,
        champion_value=boss.value,
        challenger_value=rival.value,
        winner=winner,
        why=why,
    )


def _verdict(boss: Result, rival: Result, margin: Decimal) -> tuple[Contestant | None, str]:
    """Who takes the challenge, and why. Exact: no rounding between the values and the verdict."""
    if not _counts(boss, rival):
        return None, "our side failed at it; it does not count"
    if rival.value is None:
        return CHAMPION, "the challenger has no valid result"
    if boss.value is None:
        return rival.contestant, "only the challenger has a valid result"
    old, new, share = Fraction(boss.value), Fraction(rival.value), Fraction(margin)
    if new == old:
        return CHAMPION, "a tie; the champion keeps it"
    if boss.direction is Direction.SCORE:
        takes = new >= old + share * abs(old)
        return (rival.contestant if takes else CHAMPION), f"the margin is {margin} of the champion's score, either sign"
    takes = new <= old * (1 - share)
    relation = "at most" if takes else "above"
    winner = rival.contestant if takes else CHAMPION
    return winner, f"the challenger's loss is {relation} {1 - margin} of the champion's"


def _by_pool(state: TournamentState, rules: TournamentRules, title: PooledTitle, examples: Examples) -> TitleResult:
    champion, challenger = state.tournament.champion, challenger_of(state)
    gains = title_gains(state, rules)
    verdict = judge_gains(gains, title) if gains else NOTHING
    played = _played(state, rules)
    challenges = [_pooled_challenge(id_, results, challenger, title, examples) for id_, results in played]
    return TitleResult(
        challenger=Hotkey(challenger),
        champion=champion.hotkey,
        threshold=_threshold(state, rules),
        test=test_of(gains, title) if len(gains) >= title.looks[0] else None,
        challenges=tuple(challenges),
        winner=Hotkey(challenger) if verdict.takes else champion.hotkey,
        changed_hands=verdict.takes,
        performance_difference=shown(performance_difference(challenges, rules)),
        why=verdict.why,
    )


def _pooled_challenge(
    challenge_id: str,
    results: dict[Contestant, Result],
    challenger: Contestant,
    title: PooledTitle,
    examples: Examples,
) -> TitleChallenge:
    boss, rival, mirror = results[CHAMPION], results[challenger], results.get(MIRROR)
    counts = _counts(boss, rival)
    gain = clipped(boss, rival, title) if counts else None
    again = gain_of(mirror, boss) if mirror else None
    error = error_of(rival, boss, examples)
    return TitleChallenge(
        challenge_id=challenge_id,
        direction=boss.direction,
        champion_value=boss.value,
        challenger_value=rival.value,
        winner=None if gain is None else rival.contestant if gain > 0 else CHAMPION,
        why=(rival.reason or boss.reason or "measured on the same rows") if counts else "our side failed at it",
        gain=None if gain is None else shown(gain),
        standard_error=None if error is None else shown(error),
        mirror_gain=None if again is None else shown(again),
    )


def performance_difference(challenges: Sequence[TitleChallenge], rules: TournamentRules) -> Decimal:
    """Median gain over the challenges that both have a value on, to 12 decimals (half even); 0 when there is none.

    Of a loss (champion − challenger) / challenger. Of a score challenger − champion; under cohort scores relative to
    the champion's, and 0 where that is not positive, as the reference has it.
    """
    gains = [gain for challenge in challenges if (gain := _difference(challenge, rules)) is not None]
    return as_decimal(median(gains)) if gains else Decimal(0)


def _difference(challenge: TitleChallenge, rules: TournamentRules) -> Fraction | None:
    if challenge.champion_value is None or challenge.challenger_value is None:
        return None
    old, new = Fraction(challenge.champion_value), Fraction(challenge.challenger_value)
    if challenge.direction is Direction.LOSS:
        return (old - new) / new if new else None
    if not rules.cohort_rewards:
        return new - old
    return (new - old) / old if old > 0 else Fraction(0)


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
