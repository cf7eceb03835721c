"""What holds in every tournament that is played to its end, under the structure of either rule set."""

from decimal import Decimal
from fractions import Fraction
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.challenge import ChallengeKind, Direction
from core.errors import Fault
from core.evaluation import Reward
from core.ids import CHAMPION, Contestant, Hotkey
from core.tournament import RoundType, TournamentKind, TournamentState
from tests import builders
from tests.tournament.states import (
    DUEL,
    EVERYTHING,
    STRUCTURES,
    VALUES,
    Loss,
    active,
    all_of,
    by_skill,
    closed,
    play,
    played,
    prepared,
    with_round,
)
from tournament import weights
from tournament.cohort import cohort_scores
from tournament.evidence import Evidence, tournament_evidence
from tournament.pooled import clipped
from tournament.positions import final_positions
from tournament.programme import draw_round
from tournament.rules import CALIBRATED_IMAGE, CLASSIC_TEXT, TournamentRules
from tournament.scoring import Result
from tournament.title import next_champion, title_gain

INSTRUCT, GRPO = ChallengeKind.INSTRUCT, ChallengeKind.GRPO
few = settings(max_examples=25)


structures = st.sampled_from(STRUCTURES)
counts = st.integers(2, 24)


def measured(quality: float, rules: TournamentRules) -> float:
    """A value that is better the higher the quality; scores on either side of 0."""
    return 6 - quality if rules.group_kind.direction is Direction.LOSS else quality - 3


def fate(salt: int, rules: TournamentRules):
    """Any value, or any failure, for each contestant on each challenge; the same whenever one asks."""

    def value(contestant: Contestant, challenge: str) -> Loss:
        draw = int(sha256(f"{salt}:{contestant}:{challenge}".encode()).hexdigest(), 16)
        failure = {0: "crashed", 1: "refused: no fine-tune", 2: "ours: lost", 3: "ours, refused: lost"}.get(draw % 25)
        return failure or measured(0.1 + draw % 4_900_001 / 10**6, rules)

    return value


def tournament(rules: TournamentRules, count: int, value, **facts) -> TournamentState:
    return play(active(builders.entries(count), rules, **facts), rules, value, catalogue=EVERYTHING)


@few
@given(structures, counts, st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_the_order_of_registration_never_matters(rules, count, salt, random):
    """Rows may come in any order: entries, and later trainings and evaluations."""
    straight = tournament(rules, count, fate(salt, rules))
    entries = random.sample(builders.entries(count), count)
    mixed = play(active(entries, rules), rules, fate(salt, rules), catalogue=EVERYTHING)
    assert (mixed.results, mixed.tournament.title) == (straight.results, straight.tournament.title)


@few
@given(structures, st.lists(VALUES, min_size=2, max_size=20), st.data())
def test_who_gets_better_never_comes_out_worse(rules, qualities, data):
    """The same strength everywhere, then more of it: never a worse position, and no title is lost by it."""
    number = data.draw(st.integers(1, len(qualities)))
    better = qualities[number - 1] + data.draw(st.integers(1, 300_000)) / 10**6
    before, after = (_with_quality(number, q, qualities, rules) for q in (qualities[number - 1], better))
    one = Contestant(builders.hotkey(number))
    assert _position(one, after) <= _position(one, before)
    if before.tournament.title.winner == one:
        assert after.tournament.title.winner == one


def _with_quality(number, quality, qualities, rules) -> TournamentState:
    values = {Contestant(builders.hotkey(n)): measured(q, rules) for n, q in enumerate(qualities, start=1)}
    values |= {Contestant(builders.hotkey(number)): measured(quality, rules), CHAMPION: measured(4.0, rules)}
    return tournament(rules, len(qualities), by_skill(values))


def _position(contestant: Contestant, state: TournamentState) -> int:
    positions = final_positions(state.tournament.title, state.results)
    return next(place.position for place in positions if place.contestant == contestant)


@few
@given(structures, counts, st.integers(0, 10**6))
def test_who_failed_never_beats_who_scored(rules, count, salt):
    state = tournament(rules, count, fate(salt, rules))
    for standings in _groups(state):
        scored = [s for s in standings if s.value is not None]
        failed = [s for s in standings if s.value is None and s.fault is Fault.MINER]
        assert not scored or not any(s.advances for s in failed)
        assert all(bad.rank > good.rank for bad in failed for good in scored if good.advances)
    for challenge in state.tournament.title.challenges:
        if challenge.winner == CHAMPION:
            assert challenge.champion_value is not None or challenge.challenger_value is None
        elif challenge.winner is not None:
            assert challenge.challenger_value is not None


def _groups(state: TournamentState):
    """Standings of each group and pair; in a title match a failure costs one challenge, not the round."""
    types = {round_.plan.number: round_.plan.type for round_ in state.rounds}
    for result in state.results:
        if types[result.number] is not RoundType.TITLE:
            for group in {standing.group_id for standing in result.standings}:
                yield [standing for standing in result.standings if standing.group_id == group]


@few
@given(structures, st.lists(st.one_of(VALUES, st.sampled_from(["crashed", "ours: lost"])), min_size=16, max_size=20))
def test_an_entrant_more_or_less_never_flips_two_others(rules, qualities):
    """Opponent independence, of losses and scores alike, whoever is taken away."""
    whole, last = _first_ranks(rules, qualities), Contestant(builders.hotkey(len(qualities)))
    fewer = _first_ranks(rules, qualities[:-1])
    assert fewer.keys() == whole.keys() - {last}
    for one in fewer:
        for other in fewer:
            assert (whole[one] < whole[other]) is (fewer[one] < fewer[other])


def _first_ranks(rules, qualities) -> dict[Contestant, int]:
    values = {
        Contestant(builders.hotkey(n)): q if isinstance(q, str) else measured(q, rules)
        for n, q in enumerate(qualities, start=1)
    }
    state = active(builders.entries(len(qualities)), rules)
    state = prepared(with_round(state, draw_round(state, 1, rules, EVERYTHING)))
    state = closed(played(state, by_skill(values)), 1, rules)
    assert state.rounds[0].plan.type is RoundType.GROUP
    return {standing.contestant: standing.rank for standing in state.results[0].standings}


def test_cohort_scores_do_flip_and_so_are_classics_alone():
    """Alone 0.75 against 0.625; a third with ten times the first reward makes it 0.075 against 0.2875."""

    def rewarded(a, b):
        parts = (Reward(name="a", weight=0.75, mean=a), Reward(name="b", weight=0.25, mean=b))
        return builders.scored(0.0).model_copy(update={"rewards": parts})

    one, other, third = map(Contestant, ("one", "other", "third"))
    two = {one: rewarded(1.0, 0.0), other: rewarded(0.5, 3.0)}
    assert cohort_scores(two) == {one: 0.75, other: 0.625}
    with_third = cohort_scores({**two, third: rewarded(10.0, 3.0)})
    assert (with_third[one], with_third[other]) == pytest.approx((0.075, 0.2875))


@few
@given(structures, counts, st.integers(0, 10**6))
def test_the_champion_is_always_paid(rules, count, salt):
    """Whoever holds the title in the end; everything is ≥ 0 and sums to 1, and nobody else earns more of the kind."""
    state = tournament(rules, count, fate(salt, rules))
    _, gain = title_gain([state.tournament])
    whole = tournament_evidence(state, next_champion(state).streak, gain)
    unplayed = {TournamentKind.IMAGE: CALIBRATED_IMAGE.emission} if rules.title.rule == "pooled" else {}
    policy = rules.emission.policy
    evidence = Evidence(policy=policy, netuid=56, burn_hotkey=Hotkey("burn"), tournaments=(whole,), unplayed=unplayed)
    paid = {hotkey: Decimal(weight) for hotkey, weight in weights.of(evidence).items()}
    winner = state.tournament.title.winner
    assert sum(paid.values()) == 1 and min(paid.values()) >= 0 and paid[winner] > 0
    assert all(paid[winner] > weight for hotkey, weight in paid.items() if hotkey not in (winner, "burn"))


@settings(max_examples=60)
@given(VALUES, VALUES, st.integers(1, 10**6), st.integers(-3, 3), st.integers(0, 12), st.sampled_from([INSTRUCT, GRPO]))
def test_a_better_value_never_loses_a_title(old, new, more, shift, streak, kind):
    """Whatever the champion's sign: nothing is multiplied by a margin that could turn round with it."""
    sign, shift = (1, shift) if kind is GRPO else (-1, 1)
    champion, challenger = old + shift, new + shift
    better = challenger + sign * more / 10**6
    takes, still = (_takes(kind, champion, value, streak) for value in (challenger, better))
    assert still or not takes
    margin = max(Fraction(3, 100), Fraction(1, 10) * Fraction(4, 5) ** (streak - 1))
    assert takes is (sign * (Fraction(challenger) - Fraction(champion)) >= margin * abs(Fraction(champion)))
    boss, rival, stronger = (Result(CHAMPION, v, direction=kind.direction) for v in (champion, challenger, better))
    assert clipped(boss, stronger, DUEL.title) >= clipped(boss, rival, DUEL.title)
    assert (clipped(boss, rival, DUEL.title) > 0) is (sign * (challenger - champion) > 0)


def _takes(kind: ChallengeKind, champion: float, challenger: float, streak: int) -> bool:
    rules = all_of(kind, CLASSIC_TEXT)
    skill = {CHAMPION: champion, Contestant(builders.hotkey(1)): challenger}
    state = tournament(rules, 1, by_skill(skill), champion=builders.champion(streak=streak))
    return state.tournament.title.changed_hands
