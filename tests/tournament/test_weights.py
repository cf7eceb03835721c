import json
from decimal import ROUND_UP, Decimal, localcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ids import CHAMPION, Contestant, Hotkey
from core.value import canonical_json, sha256_hex
from tests import builders
from tests.tournament.emission import documents as made
from tests.tournament.emission.strategies import documents, of_any_policy
from tests.tournament.states import active, by_skill, play
from tournament import weights
from tournament.emission import classic
from tournament.evidence import Evidence, tournament_evidence
from tournament.rules import DEMO

GOLDEN = Path(__file__).with_name("golden")
GOLDEN_SHA256 = {
    "classic-1": (
        "11b815340de75ecb2498eefac7cba6278b0289439d2c21687bc41917e8f7ca3b",
        "97bd6a34ad00cb17bb6a55eb3d6a18cc248f60b57eac7bc0449be77ba94ebd96",
    ),
    "podium-1": (
        "bc9f426a98d0e546fdc1de742eff24064c59f5adaa2e41194697445871e84266",
        "7d6b5179a4e10f793ea8db090c9d135d1a18dbc70d9213d99325383f91fa28c6",
    ),
}
"""Of the evidence, and of the canonical JSON of its weights."""


@given(of_any_policy)
def test_weights_are_never_negative_sum_to_one_and_pay_every_champion(evidence):
    result = {hotkey: Decimal(weight) for hotkey, weight in weights.of(evidence).items()}
    assert sum(result.values()) == 1
    assert min(result.values()) >= 0
    assert all(result[tournament.title.winner] > 0 for tournament in evidence.tournaments)


@given(documents(made.PODIUM))
def test_a_better_position_never_earns_less(evidence):
    for tournament in evidence.tournaments:
        earned = {Hotkey(h): Decimal(w) for h, w in weights.of(made.evidence(tournament)).items() if h != made.BURN}
        once = [p for p in tournament.positions if sum(q.hotkey == p.hotkey for q in tournament.positions) == 1]
        in_order = [earned.get(place.hotkey, Decimal(0)) for place in once]
        assert in_order == sorted(in_order, reverse=True)


@given(documents(made.CLASSIC))
def test_more_points_never_earn_less_and_none_earns_more_than_the_champion(evidence):
    for tournament in evidence.tournaments:
        earned = {Hotkey(h): Decimal(w) for h, w in weights.of(made.evidence(tournament)).items() if h != made.BURN}
        points = classic.points(tournament)
        in_order = [earned[hotkey] for hotkey in sorted(points, key=lambda hotkey: points[hotkey])]
        assert [*in_order, earned[tournament.title.winner]] == sorted([*in_order, earned[tournament.title.winner]])


@given(of_any_policy, st.randoms(use_true_random=False))
def test_the_order_of_anything_never_matters(evidence, random):
    def shuffled(values):
        return random.sample(values, len(values))

    document = evidence.model_dump(mode="json")
    document["tournaments"], document["participants"] = map(
        shuffled, (document["tournaments"], document["participants"])
    )
    for tournament in document["tournaments"]:
        tournament["challenges"], tournament["standings"] = map(
            shuffled, (tournament["challenges"], tournament["standings"])
        )
        for challenge in tournament["challenges"]:
            challenge["results"] = shuffled(challenge["results"])
    assert weights.of(Evidence.model_validate(document)) == weights.of(evidence)


@given(of_any_policy)
def test_a_name_earns_nothing(evidence):
    """Other hotkeys with the same results have the same weights."""
    names = {builders.hotkey(i): builders.hotkey(1000 - i) for i in range(1, 41)}
    text = canonical_json(evidence).decode()
    for old, new in names.items():
        text = text.replace(old, new)
    expected = {names.get(hotkey, hotkey): weight for hotkey, weight in weights.of(evidence).items()}
    assert weights.of(Evidence.model_validate_json(text)) == expected


@given(of_any_policy)
def test_weights_follow_from_the_published_bytes_alone(evidence):
    """A stranger who parses the document, in a process with other decimal settings, finds the same bytes."""
    published = canonical_json(evidence)
    with localcontext(prec=3, rounding=ROUND_UP):
        derived = weights.of(Evidence.model_validate_json(published))
    assert canonical_json(derived) == canonical_json(weights.of(evidence))


@pytest.mark.parametrize("name", ["classic-1", "podium-1"])
def test_published_evidence_gives_the_same_bytes_for_ever(name):
    """Documents as they were once published. Other bytes are another version of the policy, under another name."""
    published = (GOLDEN / f"{name}.evidence.json").read_bytes()
    derived = weights.of(Evidence.model_validate_json(published))
    assert derived == json.loads((GOLDEN / f"{name}.weights.json").read_bytes())
    assert (sha256_hex(published), sha256_hex(canonical_json(derived))) == GOLDEN_SHA256[name]


def test_a_tournament_worked_by_hand():
    """Four miners, losses 0.5, 0.6, 0.7 and a crash. Miner 1 wins group, knockout and title; nobody else collects.

    pool = 0.15 + 2 × (0.20 − 0.05) = 0.45, all of it the champion's; the rest is burned.
    """
    reached = {1: 0.5, 2: 0.6, 3: 0.7, 4: "crashed"}
    skill = {Contestant(builders.hotkey(number)): value for number, value in reached.items()} | {CHAMPION: 1.0}
    state = play(active(builders.entries(4), DEMO), DEMO, by_skill(skill))
    evidence = made.evidence(tournament_evidence(state, 1, "0.20"))
    assert weights.of(evidence) == {builders.hotkey(1): "0.450000000000", "burn": "0.550000000000"}


def test_an_unknown_policy_is_named():
    with pytest.raises(ValueError, match="policy 'other/1' is not known"):
        weights.of(made.evidence(made.classic()).model_copy(update={"policy": "other/1"}))


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=20).filter(any))
def test_u16_keeps_order_and_has_its_largest_at_the_top(units):
    names = [Hotkey(f"h{i}") for i in range(len(units))]
    stated = {name: str(Decimal(unit) / 10**12) for name, unit in zip(names, units, strict=True)}
    uids = {name: i for i, name in enumerate(names)} | {made.BURN: 999}
    result = weights.to_u16(stated, uids, made.BURN)
    assert max(result.values()) == 65535
    ordered = sorted(result, key=lambda uid: units[uid])
    assert [result[uid] for uid in ordered] == sorted(result.values())


def test_who_left_the_subnet_gives_to_the_burn_hotkey():
    shares, uids = {Hotkey("gone"): "0.75", Hotkey("here"): "0.25"}, {Hotkey("here"): 3, made.BURN: 0}
    assert weights.to_u16(shares, uids, made.BURN) == {0: 65535, 3: 21845}
    shares = {Hotkey("gone"): "0.5", made.BURN: "0.25", Hotkey("here"): "0.25"}
    assert weights.to_u16(shares, uids, made.BURN) == {0: 65535, 3: 21845}


def test_without_a_burn_hotkey_nothing_is_set():
    with pytest.raises(ValueError, match="burn hotkey"):
        weights.to_u16({Hotkey("here"): "1"}, {Hotkey("here"): 3}, made.BURN)
