"""The promises of `core.ports.Weights` and `core.ports.Events`, kept by PostgreSQL and in memory alike."""

import pytest

from core.chain import WeightsReceipt
from core.errors import StaleStateError
from core.tournament import HaltCause
from tests import builders
from tests.gateways.conftest import Stores


def receipt(block_number: int = 200) -> WeightsReceipt:
    return WeightsReceipt(netuid=builders.NETUID, block_number=block_number, version_key=1, weights={0: 65_535})


def test_a_plan_is_kept_exactly(stores: Stores) -> None:
    setting = builders.weight_setting(weights={builders.hotkey(1): "0.333", builders.hotkey(2): "0.667"})
    with stores.tells_of(f"weights:{setting.setting_id}"):
        assert stores.weights.plan(setting) == setting
    assert stores.weights.latest() == setting


def test_the_same_evidence_is_planned_once(stores: Stores) -> None:
    setting = stores.weights.plan(builders.weight_setting())
    with stores.tells_nothing():
        assert stores.weights.plan(builders.weight_setting()) == setting
        assert stores.weights.plan(builders.weight_setting(weights={builders.hotkey(2): "1"})) == setting
    assert stores.weights.latest() == setting


def test_a_plan_that_was_confirmed_comes_back_confirmed(stores: Stores) -> None:
    setting = stores.weights.plan(builders.weight_setting())
    stores.weights.confirm(setting.setting_id, receipt())
    assert stores.weights.plan(builders.weight_setting()).block_number == 200


def test_one_name_has_one_evidence(stores: Stores) -> None:
    setting = stores.weights.plan(builders.weight_setting(1))
    with pytest.raises(StaleStateError):
        stores.weights.plan(builders.weight_setting(2, setting_id=setting.setting_id))


def test_a_setting_is_confirmed_once(stores: Stores) -> None:
    setting = stores.weights.plan(builders.weight_setting())
    with stores.tells_of(f"weights:{setting.setting_id}"):
        stores.weights.confirm(setting.setting_id, receipt(200))
    with stores.tells_nothing():
        stores.weights.confirm(setting.setting_id, receipt(200))
        stores.weights.confirm(setting.setting_id, receipt(300))
    assert stores.weights.latest() == setting.model_copy(update={"block_number": 200})


def test_what_was_not_planned_is_not_confirmed(stores: Stores) -> None:
    with pytest.raises(StaleStateError, match="weights-unknown"):
        stores.weights.confirm("weights-unknown", receipt())


def test_the_latest_is_the_one_planned_last(stores: Stores) -> None:
    assert stores.weights.latest() is None
    first, second = (stores.weights.plan(builders.weight_setting(number)) for number in (1, 2))
    stores.weights.confirm(first.setting_id, receipt())
    assert stores.weights.latest() == second


def test_events_come_in_order_and_from_where_one_stopped(stores: Stores) -> None:
    for number in range(5):
        stores.weights.plan(builders.weight_setting(number))
    events = stores.events.since(0)
    ids = [event["event_id"] for event in events]
    assert len(ids) == 5 and ids == sorted(set(ids))
    assert [event["event_id"] for event in stores.events.since(0, limit=2)] == ids[:2]
    assert [event["event_id"] for event in stores.events.since(ids[1])] == ids[2:]
    assert stores.events.since(ids[-1]) == []


def test_an_event_says_when_what_and_about_whom(stores: Stores) -> None:
    setting = stores.weights.plan(builders.weight_setting())
    (event,) = stores.events.since(0)
    assert set(event) == {"event_id", "at", "subject", "event", "details"}
    assert event["at"].tzinfo is not None
    assert (event["subject"], event["event"]) == (f"weights:{setting.setting_id}", "planned")
    assert event["details"]["weights"] == {builders.hotkey(1): "1"}


def test_both_kinds_tell_the_same_story(stores: Stores) -> None:
    tournament = stores.tournaments.open(builders.tournament()).tournament_id
    stores.tournaments.record_entries(tournament, builders.entries(2), builders.sha256("seed"))
    plan = builders.round_plan(builders.contestants(1, 2))
    stores.tournaments.record_round(tournament, plan)
    stores.tournaments.challenge_ready(plan.groups[0].challenges[0].challenge_id, builders.challenge_data())
    stores.tournaments.halt(tournament, HaltCause.PLATFORM, "three lost runs", 900)
    stores.tournaments.resume(tournament)
    stores.tournaments.close_round(builders.round_result(plan))
    stores.tournaments.close_round(builders.round_result(plan, revision=2))
    stores.tournaments.crown(tournament, builders.title_result())
    assert [event for _, event in stores.told()] == [
        "opened",
        "entries recorded",
        "round drawn",
        "ready",
        "halted",
        "resumed",
        "round closed",
        "round revised",
        "crowned",
    ]
