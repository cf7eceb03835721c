from decimal import Decimal
from fractions import Fraction

import pytest

from core.challenge import ChallengeKind
from core.ids import CHAMPION, MIRROR, Contestant
from tests import builders
from tests.tournament.emission import documents as made
from tournament import weights
from tournament.emission.classic import participation, points, pool, pool_shares, rank_shares
from tournament.evidence import best_of
from tournament.rules import CLASSIC_TEXT

ALL = 1 + Fraction(3, 10) + Fraction(9, 100)
"""Of three ranks."""


def miner(number):
    return Contestant(builders.hotkey(number))


@pytest.mark.parametrize(
    ("kind", "gain", "streak", "expected"),
    [
        (made.TEXT, "0.15", 1, "0.35"),
        (made.TEXT, "0.275", 1, "0.60"),
        (made.TEXT, "0.9", 1, "0.60"),
        (made.TEXT, "0.05", 1, "0.15"),
        (made.TEXT, "-0.3", 1, "0.15"),
        (made.TEXT, "0", 1, "0.15"),
        (made.TEXT, "0.15", 0, "0.35"),
        (made.TEXT, "0.15", 3, "0.33"),
        (made.TEXT, "0.15", 40, "0.15"),
        (made.IMAGE, "0.15", 1, "0.30"),
        (made.IMAGE, "0.2", 1, "0.40"),
        (made.IMAGE, "0.3", 1, "0.40"),
    ],
)
def test_the_pool_of_the_reference(kind, gain, streak, expected):
    """reference §6.2: min(most, base + 2 × (d − 0.05) − 0.01 for each further win)."""
    assert pool(made.classic(kind=kind, gain=gain, streak=streak)) == Fraction(expected)


def test_rank_shares_of_the_reference():
    """0.3^(rank − 1) over the sum for all ranks."""
    assert rank_shares([1, 1, 1], CLASSIC_TEXT.emission) == [1 / ALL, Fraction(3, 10) / ALL, Fraction(9, 100) / ALL]


def test_ties_have_their_average_rank():
    """Second and third are both 2.5th: 0.3^1.5 = 0.1643…; of three level ones each is second."""
    half = rank_shares([1, 2], CLASSIC_TEXT.emission)[1]
    assert round((half * ALL) ** 2, 30) == round(Fraction(3, 10) ** 3, 30)
    assert rank_shares([3], CLASSIC_TEXT.emission) == [Fraction(3, 10) / ALL]
    assert rank_shares([2, 1], CLASSIC_TEXT.emission)[1] == Fraction(9, 100) / ALL


def test_the_best_of_a_challenge_earns_its_round_number():
    challenges = [made.won(1, 2), made.won(2, 1), made.won(3, 1), made.won(2, 3)]
    collected = points(made.classic(challenges=challenges))
    assert collected == {builders.hotkey(1): 5, builders.hotkey(2): 1, builders.hotkey(3): 2}


def test_champion_and_mirror_collect_no_points():
    """Who is best behind the mirror is best; behind the champion's own code nobody is."""
    behind_mirror = made.challenge(4, {CHAMPION: 0.6, MIRROR: 0.4, miner(1): 0.5})
    behind_champion = made.challenge(4, {CHAMPION: 0.4, MIRROR: 0.6, miner(1): 0.5})
    assert points(made.classic(challenges=[behind_mirror])) == {builders.hotkey(1): 4}
    assert points(made.classic(challenges=[behind_champion])) == {}
    assert points(made.classic(challenges=[behind_mirror], changed_hands=True)) == {}


def test_the_best_is_the_lowest_loss_or_the_highest_score():
    values = {miner(1): -0.5, miner(2): 0.25, miner(3): None, MIRROR: 9.0}
    assert best_of(made.challenge(1, values, ChallengeKind.GRPO)) == [miner(2)]
    assert best_of(made.challenge(1, {miner(1): 1.5, miner(2): 1.25, MIRROR: 0.1})) == [miner(2)]
    assert best_of(made.challenge(1, {miner(1): 1.5, miner(2): 1.5})) == [miner(1), miner(2)]
    assert best_of(made.challenge(1, {miner(1): None})) == []


def test_the_champion_has_its_share_of_the_pool_and_the_others_theirs_of_the_base():
    """Three ranks; d = 0.15 → pool 0.35, base 0.15; what the others leave of the pool is burned."""
    tournament = made.classic(challenges=[made.won(2, 1), made.won(1, 2)], gain="0.15")
    assert pool_shares(tournament) == {
        made.OLD: Fraction(35, 100) / ALL,
        builders.hotkey(1): Fraction(15, 100) * Fraction(3, 10) / ALL,
        builders.hotkey(2): Fraction(15, 100) * Fraction(9, 100) / ALL,
    }


def test_two_kinds_worked_by_hand():
    """text: 0.35 × 1/1.39 and 0.15 × 0.3/1.39, 0.15 × 0.09/1.39; image: the champion alone, 0.30."""
    text = made.classic(challenges=[made.won(2, 1), made.won(1, 2)], gain="0.15")
    image = made.classic(kind=made.IMAGE, gain="0.15")
    assert weights.of(made.evidence(text, image)) == {
        builders.hotkey(1): "0.032374100719",
        builders.hotkey(2): "0.009712230215",
        made.OLD: "0.551798561151",
        "burn": "0.406115107915",
    }


def test_the_champion_is_paid_when_nobody_else_has_points():
    """reference §9.7 no. 71: then the whole type used to be burned."""
    result = weights.of(made.evidence(made.classic(gain="0.20")))
    assert result == {made.OLD: "0.450000000000", "burn": "0.550000000000"}


def test_participants_are_paid_and_everything_else_makes_room():
    playing = [builders.hotkey(7), builders.hotkey(8)]
    result = weights.of(made.evidence(made.classic(), playing=playing))
    assert result[builders.hotkey(7)] == result[builders.hotkey(8)] == "0.000100000000"
    assert Decimal(result[made.OLD]) == Decimal("0.15") * (1 - Decimal("0.0002"))


def test_participants_never_have_more_than_half():
    rules = [CLASSIC_TEXT.emission]
    assert participation(rules, 5000) == Fraction(1, 10_000)
    assert participation(rules, 10_000) * 10_000 == Fraction(1, 2)
    assert participation(rules, 0) == 0


def test_a_burn_hotkey_that_earned_something_keeps_it():
    """reference §6.4: what it had received before used to be overwritten."""
    alone = weights.of(made.evidence(made.classic(champion=made.BURN)))
    assert alone == {"burn": "1.000000000000"}


def test_constants_of_another_policy_are_named():
    document = made.evidence(made.classic()).model_copy(update={"tournaments": (made.podium(),)})
    with pytest.raises(ValueError, match=r"policy is classic/1 and the evidence has constants of podium/1"):
        weights.of(document)
