"""What the duel plays, and how it counts."""

import math
from collections import Counter

import pytest

from benchmarks.duel.__main__ import summary, table
from benchmarks.duel.challenges import challenges
from benchmarks.duel.match import Gain
from core.challenge import ChallengeKind
from core.value import canonical_json


def gain(value: float, error: float = 0.01) -> Gain:
    return Gain("a challenge", "chat", 1.0, 2.0, value, error)


def test_every_kind_is_played_and_nobody_trains_on_what_is_measured() -> None:
    played = challenges()
    kinds = Counter(challenge.kind for challenge in played)
    assert len(played) >= 12 and set(kinds) == set(ChallengeKind) - {ChallengeKind.IMAGE} and min(kinds.values()) >= 2
    assert len({challenge.name for challenge in played}) == len(played)
    for challenge in played:
        assert challenge.train and challenge.test
        assert not set(map(canonical_json, challenge.train)) & set(map(canonical_json, challenge.test))
    assert [challenge.test[0] for challenge in challenges()] == [challenge.test[0] for challenge in played]


def test_wins_are_counted_and_gains_pooled_with_challenges_as_the_unit() -> None:
    told = summary([gain(0.1), gain(0.3), gain(0.01, error=0.1), gain(-0.01)])
    assert (told["challenges"], told["wins"], told["sure_wins"], told["share_of_wins"]) == (4, 3, 2, 0.75)
    assert told["mean_gain"] == pytest.approx(0.1)
    half = 3.182446 * 0.1416569 / 2  # t(0.975, 3) × s / √4
    assert (told["low"], told["high"]) == pytest.approx((0.1 - half, 0.1 + half), rel=1e-5)


def test_a_refused_opponent_is_a_win_and_no_part_of_the_mean() -> None:
    refused = Gain("b challenge", "dpo", 0.5, None, math.inf, 0.0)
    told = summary([gain(0.1), gain(0.2), refused])
    assert told["wins"] == 3 and told["mean_gain"] == pytest.approx(0.15)
    assert "| b challenge | dpo | 0.5000 | refused |" in table([gain(0.1), gain(0.2), refused])
