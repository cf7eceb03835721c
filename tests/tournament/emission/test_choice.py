from datetime import timedelta

import pytest

from core.tournament import TournamentKind, TournamentStatus
from tests import builders
from tournament import weights
from tournament.emission.choice import (
    constants_of,
    is_runner_up_paid,
    policy_in_force,
    shipped_constants,
    tournaments_looked_back,
)
from tournament.rules import CALIBRATED_IMAGE, CALIBRATED_TEXT, CLASSIC_IMAGE, CLASSIC_TEXT, NAMED

TEXT, IMAGE = TournamentKind.TEXT, TournamentKind.IMAGE
PODIUM = CALIBRATED_TEXT.emission


def finished(rules, day, kind=TEXT, number=1):
    return builders.tournament(
        number,
        kind,
        status=TournamentStatus.FINISHED,
        rules=rules.model_dump(mode="json"),
        finished_at=builders.at(day * 86_400),
    )


def test_the_policy_of_the_tournament_that_finished_last_is_in_force():
    text, image = finished(CLASSIC_TEXT, day=2), finished(CALIBRATED_IMAGE, day=1, kind=IMAGE)
    assert policy_in_force([text, image]) == policy_in_force([image, text]) == "classic/1"
    assert policy_in_force([text, finished(CALIBRATED_IMAGE, day=3, kind=IMAGE)]) == "podium/1"


def test_a_kind_under_other_rules_takes_the_constants_of_the_named_rules():
    image = finished(CLASSIC_IMAGE, day=1, kind=IMAGE)
    assert constants_of(image, "classic/1") == CLASSIC_IMAGE.emission
    assert constants_of(image, "podium/1") == CALIBRATED_IMAGE.emission


def test_own_constants_of_the_policy_stay():
    own = CALIBRATED_TEXT.emission.model_copy(update={"places": 1})
    tournament = finished(CALIBRATED_TEXT.model_copy(update={"emission": own}), day=1)
    assert constants_of(tournament, "podium/1") == own


def test_every_named_rule_set_has_a_known_policy_and_every_kind_constants_of_each():
    assert {rules.emission.policy for kinds in NAMED.values() for rules in kinds.values()} == set(weights.POLICIES)
    for policy in weights.POLICIES:
        assert {shipped_constants(kind, policy).policy for kind in TournamentKind} == {policy}


def test_a_policy_without_constants_is_named():
    with pytest.raises(ValueError, match="no named rules have constants of the weight policy 'other/1' for image"):
        shipped_constants(IMAGE, "other/1")


def test_the_runner_up_is_paid_for_seven_days():
    end = builders.at(0)
    assert is_runner_up_paid(PODIUM, end, end + timedelta(days=7, seconds=-1))
    assert not is_runner_up_paid(PODIUM, end, end + timedelta(days=7))
    assert is_runner_up_paid(CLASSIC_TEXT.emission, end, end + timedelta(days=700)), "classic never asks"


def test_only_podium_looks_back():
    assert (tournaments_looked_back(PODIUM), tournaments_looked_back(CLASSIC_TEXT.emission)) == (4, 0)
