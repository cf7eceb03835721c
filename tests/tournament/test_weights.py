import json
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ids import CHAMPION, Contestant, Hotkey
from core.value import canonical_json
from tests import builders
from tests.tournament.states import active, by_skill, play
from tournament import weights
from tournament.evidence import Evidence, participants, tournament_evidence
from tournament.rules import DEMO, Emission

BURN = Hotkey("burn")
losses = st.one_of(st.floats(0.1, 5), st.just("crashed: exit code 1"))


def evidence(skill, *, streak=1, gain="0", playing=(), emission=DEMO.emission):
    """Of one tournament that the miners of `skill` played to its end."""
    count = len(skill) - 1
    rules = DEMO.model_copy(update={"minimum_entrants": 1, "emission": emission})
    state = play(active(builders.entries(count), rules), rules, by_skill(skill))
    return Evidence(
        policy=weights.CLASSIC_POLICY,
        netuid=56,
        burn_hotkey=BURN,
        tournaments=(tournament_evidence(state, streak, gain),),
        participants=tuple(playing),
    )


def miners(values):
    return {Contestant(builders.hotkey(i)): value for i, value in enumerate(values, start=1)} | {CHAMPION: 1.0}


@given(st.lists(losses, min_size=1, max_size=12), st.decimals(0, 2, places=6), st.integers(0, 20), st.integers(0, 40))
@settings(deadline=None, max_examples=60)
def test_weights_are_never_negative_sum_to_one_and_pay_the_champion(values, gain, streak, playing):
    given_ = evidence(
        miners(values), streak=streak, gain=str(gain), playing=[builders.hotkey(i) for i in range(playing)]
    )
    result = weights.of(given_)
    assert sum(Decimal(weight) for weight in result.values()) == 1
    assert all(Decimal(weight) >= 0 for weight in result.values())
    assert Decimal(result[given_.tournaments[0].title.winner]) > 0


@given(st.lists(st.floats(0.1, 0.9), min_size=2, max_size=12, unique=True))
@settings(deadline=None, max_examples=40)
def test_weights_follow_from_the_published_bytes_alone(values):
    """A stranger who parses the document finds the same strings, to the last digit."""
    given_ = evidence(miners(values), gain="0.17")
    read = Evidence.model_validate_json(canonical_json(given_))
    assert json.dumps(weights.of(read)) == json.dumps(weights.of(given_))


def test_the_pool_of_the_reference():
    """reference §6.2: d = 0.15 → 0.35; d = 0.275 → 0.60; more is capped; each further win takes 0.01 off the boost."""

    def pool(gain, streak=1):
        return weights.pool(evidence(miners([0.5]), gain=gain, streak=streak).tournaments[0])

    assert [pool(gain) for gain in ("0.15", "0.275", "0.9", "0.05", "0")] == [
        Fraction(35, 100),
        Fraction(60, 100),
        Fraction(60, 100),
        Fraction(15, 100),
        Fraction(15, 100),
    ]
    assert pool("0.15", streak=3) == Fraction(33, 100)


def test_rank_shares_of_the_reference():
    """0.3^(rank − 1), normalised; ties share their ranks."""
    rules = Emission(base=Decimal("0.15"), most=Decimal("0.6"))
    total = 1 + Fraction(3, 10) + Fraction(9, 100)
    assert weights.rank_shares([1, 1, 1], rules) == [1 / total, Fraction(3, 10) / total, Fraction(9, 100) / total]
    assert weights.rank_shares([1, 2], rules)[1] == (Fraction(3, 10) + Fraction(9, 100)) / 2 / total


def test_a_tournament_worked_by_hand():
    """Four miners, losses 0.5, 0.6, 0.7 and a crash. Miner 1 wins group, knockout and title; nobody else collects.

    pool = 0.15 + 2 × (0.20 − 0.05) = 0.45, all of it the champion's; the rest is burned.
    """
    given_ = evidence(miners([0.5, 0.6, 0.7, "crashed"]), gain="0.20")
    assert weights.of(given_) == {builders.hotkey(1): "0.450000000000", "burn": "0.550000000000"}


def test_the_champion_is_paid_when_nobody_else_has_points():
    """reference §9.7 no. 71: then the whole type used to be burned."""
    result = weights.of(evidence(miners(["crashed", "crashed"])))
    assert result == {builders.champion().hotkey: "0.150000000000", "burn": "0.850000000000"}


def test_best_of_a_challenge_earns_its_round_number():
    skill = {Contestant(builders.hotkey(1)): 0.5, Contestant(builders.hotkey(2)): 0.6, CHAMPION: 0.2}
    given_ = evidence(skill)
    assert weights.points(given_.tournaments[0]) == {builders.hotkey(1): 1}
    result = {hotkey: Decimal(weight) for hotkey, weight in weights.of(given_).items()}
    champion = builders.champion().hotkey
    assert result[champion] > result[builders.hotkey(1)] > 0
    assert builders.hotkey(2) not in result


def test_participants_are_paid_and_everything_else_makes_room():
    given_ = evidence(miners([0.5]), playing=[builders.hotkey(7), builders.hotkey(8)])
    result = weights.of(given_)
    assert result[builders.hotkey(7)] == result[builders.hotkey(8)] == "0.000100000000"
    assert Decimal(result[builders.hotkey(1)]) == Decimal("0.15") * (1 - Decimal("0.0002"))


def test_who_is_out_participates_no_longer():
    state = active(builders.entries(4), DEMO)
    assert participants([state]) == tuple(sorted(e.hotkey for e in state.entries))
    assert participants([play(state, DEMO, by_skill(miners([1, 2, 3, 4])))]) == ()


def test_an_unknown_policy_is_named():
    with pytest.raises(ValueError, match="policy 'other/1' is not known"):
        weights.of(evidence(miners([0.5])).model_copy(update={"policy": "other/1"}))


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=20).filter(any))
def test_u16_keeps_order_and_has_its_largest_at_the_top(units):
    names = [Hotkey(f"h{i}") for i in range(len(units))]
    stated = {name: str(Decimal(unit) / 10**12) for name, unit in zip(names, units, strict=True)}
    uids = {name: i for i, name in enumerate(names)} | {BURN: 999}
    result = weights.to_u16(stated, uids, BURN)
    assert max(result.values()) == 65535
    ordered = sorted(result, key=lambda uid: units[uid])
    assert [result[uid] for uid in ordered] == sorted(result.values())


def test_who_left_the_subnet_gives_to_the_burn_hotkey():
    result = weights.to_u16({Hotkey("gone"): "0.75", Hotkey("here"): "0.25"}, {Hotkey("here"): 3, BURN: 0}, BURN)
    assert result == {0: 65535, 3: 21845}


def test_without_a_burn_hotkey_nothing_is_set():
    with pytest.raises(ValueError, match="burn hotkey"):
        weights.to_u16({Hotkey("here"): "1"}, {Hotkey("here"): 3}, BURN)
