"""Each change and its event are written together or not at all."""

from collections.abc import Callable

import psycopg
import pytest

from core.chain import WeightsReceipt
from core.errors import StaleStateError
from core.ids import TrainingId
from core.tournament import HaltCause
from tests import builders
from tests.gateways.postgres.conftest import PostgresStores

pytestmark = pytest.mark.postgres

PLAN = builders.round_plan(builders.contestants(1, 2))
CHALLENGE = PLAN.groups[0].challenges[0].challenge_id
REPLACEMENT = builders.challenge_plan(CHALLENGE, dataset=builders.dataset("others"), replacement=1)
TRAINING = TrainingId(f"{CHALLENGE}-{builders.hotkey(1)}")
LEASE = builders.lease(1)
SETTING = builders.weight_setting()
RECEIPT = WeightsReceipt(netuid=builders.NETUID, block_number=200, version_key=1, weights={0: 65_535})
Step = Callable[[PostgresStores], object]

STORY: list[tuple[Step, list[tuple[str, str]]]] = [
    (lambda s: s.tournaments.open(builders.tournament()), [("tournament:text-0001", "opened")]),
    (
        lambda s: s.tournaments.record_entries(builders.TEXT_1, builders.entries(2), builders.sha256(0)),
        [("tournament:text-0001", "entries recorded")],
    ),
    (lambda s: s.tournaments.record_round(builders.TEXT_1, PLAN), [("tournament:text-0001", "round drawn")]),
    (lambda s: s.tournaments.challenge_failed(CHALLENGE, "hub away"), [(f"challenge:{CHALLENGE}", "failed")]),
    (lambda s: s.tournaments.replan_challenge(CHALLENGE, REPLACEMENT), [(f"challenge:{CHALLENGE}", "replaced")]),
    (lambda s: s.tournaments.challenge_failed(CHALLENGE, "still away"), [(f"challenge:{CHALLENGE}", "failed")]),
    (
        lambda s: s.tournaments.halt(builders.TEXT_1, HaltCause.PREPARATION, "hub away", 900),
        [("tournament:text-0001", "halted")],
    ),
    (lambda s: s.tournaments.resume(builders.TEXT_1), [("tournament:text-0001", "resumed")]),
    (
        lambda s: s.tournaments.challenge_ready(CHALLENGE, builders.challenge_data()),
        [(f"challenge:{CHALLENGE}", "ready")],
    ),
    (lambda s: s.leases.register_slots(builders.slots(1)), [("slot:slot/local/0", "registered")]),
    (lambda s: s.leases.acquire("text-0001", "flow", 0, 60, 30), [("lease:text-0001", "acquired")]),
    (lambda s: s.trainings.dispatched(TRAINING), [(f"training:{TRAINING}", "dispatched")]),
    (lambda s: s.trainings.begin(TRAINING, LEASE), [(f"training:{TRAINING}", "begun")]),
    (lambda s: s.trainings.started(TRAINING, 1, builders.at(1)), [(f"training:{TRAINING}", "started")]),
    (
        lambda s: s.trainings.end_attempt(TRAINING, 1, builders.attempt_end()),
        [(f"training:{TRAINING}", "attempt ended")],
    ),
    (
        lambda s: s.trainings.record(TRAINING, 1, None, builders.trained()),
        [(f"evaluation:{TRAINING}-e1", "queued"), (f"training:{TRAINING}", "recorded")],
    ),
    (lambda s: s.tournaments.close_round(builders.round_result(PLAN)), [("tournament:text-0001", "round closed")]),
    (lambda s: s.tournaments.close_round(builders.round_result(PLAN, 2)), [("tournament:text-0001", "round revised")]),
    (
        lambda s: s.tournaments.disqualify(builders.TEXT_1, builders.hotkey(2), "copied code"),
        [("tournament:text-0001", "disqualified")],
    ),
    (lambda s: s.tournaments.crown(builders.TEXT_1, builders.title_result()), [("tournament:text-0001", "crowned")]),
    (
        lambda s: s.tournaments.revise_title(builders.TEXT_1, builders.title_result(changed_hands=False), 2),
        [("tournament:text-0001", "title revised")],
    ),
    (lambda s: s.weights.plan(SETTING), [(f"weights:{SETTING.setting_id}", "planned")]),
    (lambda s: s.weights.confirm(SETTING.setting_id, RECEIPT), [(f"weights:{SETTING.setting_id}", "confirmed")]),
]
TABLES = ["tournaments", "entries", "rounds", "groups", "group_members", "challenges", "trainings", "evaluations"]
TABLES += ["attempts", "round_results", "standings", "titles", "disqualifications"]
TABLES += ["weight_settings", "leases", "events"]


def test_every_change_is_told_and_nothing_is_told_twice(postgres: PostgresStores) -> None:
    for step, told in STORY:
        assert _told_by(postgres, step) == told
        repeated = _told_by(postgres, step) if _may_be_said_again(told) else []
        assert repeated == []


def test_a_change_whose_event_cannot_be_written_does_not_happen(postgres: PostgresStores) -> None:
    """At every step: the event log refuses, nothing has changed, and the same step then succeeds."""
    for step, told in STORY:
        before = _everything(postgres)
        _run(postgres, REFUSE_EVENTS)
        with pytest.raises(psycopg.errors.RaiseException):
            step(postgres)
        assert _everything(postgres) == before
        _run(postgres, "DROP TRIGGER broken ON events")
        assert _told_by(postgres, step) == told


def test_a_round_that_names_a_stranger_is_not_written_in_part(postgres: PostgresStores) -> None:
    for step, _ in STORY[:2]:
        step(postgres)
    before = _everything(postgres)
    with pytest.raises(StaleStateError, match="no accepted entry"):
        postgres.tournaments.record_round(builders.TEXT_1, builders.round_plan(builders.contestants(1, 9)))
    assert _everything(postgres) == before


REFUSE_EVENTS = """
CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'disk full'; END $$;
CREATE TRIGGER broken BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION broken();
"""


def _told_by(postgres: PostgresStores, step: Step) -> list[tuple[str, str]]:
    last = max((event["event_id"] for event in postgres.events.since(0)), default=0)
    step(postgres)
    return [(event["subject"], event["event"]) for event in postgres.events.since(last)]


def _may_be_said_again(told: list[tuple[str, str]]) -> bool:
    """A lease is renewed and a dispatch counted each time; a failed challenge is planned again by resuming."""
    return told[0][1] not in {"acquired", "dispatched"}


def _everything(postgres: PostgresStores) -> dict[str, list[str]]:
    with postgres.database.transaction() as transaction:
        return {
            table: [
                row["row"] for row in transaction.execute(f"SELECT t::text AS row FROM {table} t ORDER BY 1".encode())
            ]
            for table in TABLES
        }


def _run(postgres: PostgresStores, statements: str) -> None:
    with postgres.database.transaction() as transaction:
        transaction.execute(statements.encode())
