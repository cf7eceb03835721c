"""The schema defends itself: what no row may say, it refuses, whoever writes."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from core.challenge import ChallengeKind, ChallengeStatus
from core.compute import Ending
from core.errors import Fault, StaleStateError
from core.evaluation import EvaluationPurpose
from core.ids import TrainingId
from core.ledger import LedgerKind
from core.tournament import EntryStatus, RoundPlan, RoundStatus, RoundType, TournamentKind, TournamentStatus
from core.training import WorkStatus
from gateways.postgres.database import Database
from tests import builders
from tests.gateways.postgres.conftest import PostgresStores, play_to_first_round
from tests.postgres_server import TestServer

pytestmark = pytest.mark.postgres

ENUMS = {
    "challenge_kind": ChallengeKind,
    "challenge_status": ChallengeStatus,
    "ending": Ending,
    "entry_status": EntryStatus,
    "evaluation_purpose": EvaluationPurpose,
    "fault": Fault,
    "ledger_kind": LedgerKind,
    "round_status": RoundStatus,
    "round_type": RoundType,
    "tournament_kind": TournamentKind,
    "tournament_status": TournamentStatus,
    "work_status": WorkStatus,
}

TRAINING = TrainingId(f"text-0001-r1-g1-c1-{builders.hotkey(1)}")
OTHER_TRAINING = TrainingId(f"text-0001-r1-g1-c1-{builders.hotkey(2)}")
TOLD_TO_THE_CHAIN = [
    "UPDATE weight_settings SET block_number = 1, receipt = '{}', confirmed_at = now()",
    "INSERT INTO chain_blocks VALUES (0, repeat('0', 64), now())",
    "INSERT INTO chain_commitments (netuid, hotkey, payload, block_number) VALUES (1, 'h', 'p', 0)",
    """
    INSERT INTO chain_registrations (netuid, uid, hotkey, coldkey, stake_rao, block_number)
    VALUES (1, 0, 'h', 'c', 1, 0)""",
    "INSERT INTO chain_transfers (sender, receiver, amount_rao, block_number) VALUES ('c', 'a', 1, 0)",
    "INSERT INTO ledger (coldkey, kind, amount_rao, transfer_id, block_number) VALUES ('c', 'deposit', 1, 't', 0)",
    "INSERT INTO chain_weights (netuid, block_number, version_key, weights) VALUES (1, 0, 1, '{}')",
]
HALTED = '{"cause": "platform", "decide_by_block": 900}'
_MOVEMENT = """
    INSERT INTO ledger (coldkey, kind, amount_rao, tournament_id, hotkey)
    SELECT coldkey, '{kind}', {amount}, tournament_id, hotkey FROM entries WHERE position = 1"""
_PAID = f"""
    INSERT INTO ledger (coldkey, kind, amount_rao, transfer_id, block_number)
    SELECT coldkey, 'deposit', 50, 't', 1 FROM entries WHERE position = 1;
    {_MOVEMENT.format(kind="fee", amount="-5")};"""
NEVER_TRUE = {
    "active without a seed": "UPDATE tournaments SET seed = NULL",
    "collecting again": "UPDATE tournaments SET status = 'collecting'",
    "finished without a title": "UPDATE tournaments SET status = 'finished', finished_at = now()",
    "halted without a reason": f"UPDATE tournaments SET status = 'halted', halted = '{HALTED}'",
    "halted for ever": "UPDATE tournaments SET status = 'halted', reason = 'r'",
    "halted without a deadline": """
        UPDATE tournaments SET status = 'halted', reason = 'r', halted = '{"cause": "platform"}'""",
    "halted for no cause of ours": """
        UPDATE tournaments SET status = 'halted', reason = 'r', halted = '{"cause": "x", "decide_by_block": 9}'""",
    "a title without its revision": """
        UPDATE tournaments SET status = 'finished', finished_at = now(), title = '{}'""",
    "a stranger's disqualification": "INSERT INTO disqualifications VALUES ('text-0001', 'stranger', 'r')",
    "closing before opening": "UPDATE tournaments SET closing_block = opened_block - 1",
    "a kind that its id denies": "UPDATE tournaments SET kind = 'image'",
    "two open tournaments of a kind": """
        INSERT INTO tournaments (tournament_id, kind, netuid, rules, opened_block, closing_block, champion)
        SELECT 'text-0002', kind, netuid, rules, opened_block, closing_block, champion FROM tournaments""",
    "an accepted entry without a tree": """
        INSERT INTO entries SELECT tournament_id, 9, 'x', coldkey, 0, repository, "commit", 1, NULL, 'accepted'
        FROM entries LIMIT 1""",
    "an entry under the champion's name": """
        INSERT INTO entries SELECT tournament_id, 9, 'champion', coldkey, 0, repository, "commit", 1, tree, 'accepted'
        FROM entries LIMIT 1""",
    "an entry under the mirror's name": """
        INSERT INTO entries SELECT tournament_id, 9, 'mirror', coldkey, 0, repository, "commit", 1, tree, 'accepted'
        FROM entries LIMIT 1""",
    "negative stake": """
        INSERT INTO entries SELECT tournament_id, 9, 'x', coldkey, -1, repository, "commit", 1, tree, 'accepted'
        FROM entries LIMIT 1""",
    "two rounds at once": """
        INSERT INTO rounds (round_id, tournament_id, number, type) SELECT 'r', tournament_id, 2, type FROM rounds""",
    "somebody drawn twice": """
        WITH g AS (INSERT INTO groups SELECT 'g', round_id, 2 FROM rounds RETURNING *)
        INSERT INTO group_members SELECT 'g', round_id, 1, contestant FROM group_members LIMIT 1""",
    "a closed round without its time": "UPDATE rounds SET status = 'closed'",
    "a ready challenge without data": "UPDATE challenges SET status = 'ready'",
    "a failed challenge without a reason": "UPDATE challenges SET status = 'failed'",
    "a challenge of another plan": """UPDATE challenges SET plan = '{"challenge_id": "x"}'""",
    "done without an outcome": "UPDATE trainings SET status = 'done', recorded_at = now()",
    "an outcome that is not done": """
        UPDATE trainings SET outcome = '{"type": "failed", "reason": "r", "fault": "miner"}'""",
    "an outcome of no kind": "UPDATE trainings SET status = 'done', recorded_at = now(), outcome = '{}'",
    "a failure without a fault": """
        UPDATE trainings SET status = 'done', recorded_at = now(), outcome = '{"type": "failed", "reason": "r"}'""",
    "somebody else's fault": """
        UPDATE trainings SET status = 'done', recorded_at = now(),
               outcome = '{"type": "failed", "reason": "r", "fault": "weather"}'""",
    "trained to nothing": """
        UPDATE trainings SET status = 'done', recorded_at = now(), outcome = '{"type": "trained"}'""",
    "running for nobody": "UPDATE trainings SET status = 'running'",
    "a second training on a challenge": """
        INSERT INTO trainings (training_id, challenge_id, contestant, hotkey, repository, "commit", tree)
        SELECT 'x', challenge_id, contestant, hotkey, repository, "commit", tree FROM trainings LIMIT 1""",
    "a score without a value": """
        UPDATE evaluations SET status = 'done', recorded_at = now(), outcome = '{"type": "scored"}'""",
    "a value without bounds": """
        UPDATE evaluations SET status = 'done', recorded_at = now(),
               outcome = '{"type": "scored", "value": "-Infinity"}'""",
    "a value that is no number": """
        UPDATE evaluations SET status = 'done', recorded_at = now(), outcome = '{"type": "scored", "value": "NaN"}'""",
    "an evaluation of another challenge": """
        INSERT INTO challenges
        SELECT 'other', group_id, 2, kind, 'planned', '{"challenge_id": "other"}' FROM challenges;
        UPDATE evaluations SET challenge_id = 'other'""",
    "an evaluation for the standings of no training": "UPDATE evaluations SET training_id = NULL",
    "an evaluation that its name denies": "UPDATE evaluations SET number = 7",
    "two open attempts": """
        INSERT INTO attempts (training_id, number, token, instance) SELECT training_id, 2, 1, '' FROM attempts""",
    "an attempt for nothing": "INSERT INTO attempts (number, token, instance) VALUES (1, 1, '')",
    "an ending without an end": "UPDATE attempts SET ending = 'finished'",
    "an owner without a holder": "UPDATE leases SET owner = 'x' WHERE owner IS NULL",
    "a confirmation without a block": "UPDATE weight_settings SET confirmed_at = now()",
    "money from nowhere": "INSERT INTO ledger (coldkey, kind, amount_rao) VALUES ('c', 'deposit', 5)",
    "a deposit that takes": """
        INSERT INTO ledger (coldkey, kind, amount_rao, transfer_id, block_number)
        VALUES ('c', 'deposit', -5, 't', 1)""",
    "a fee that gives": _MOVEMENT.format(kind="fee", amount="5"),
    "a fee that is not covered": _MOVEMENT.format(kind="fee", amount="-5"),
    "a refund without a fee": _MOVEMENT.format(kind="refund", amount="5"),
    "a fee for no entry": """
        INSERT INTO ledger (coldkey, kind, amount_rao, transfer_id, block_number) VALUES ('c', 'deposit', 5, 't', 1);
        INSERT INTO ledger (coldkey, kind, amount_rao, tournament_id, hotkey)
        VALUES ('c', 'fee', -5, 'text-0001', 'x')""",
    "a fee that is taken twice": _PAID + _MOVEMENT.format(kind="fee", amount="-5"),
    "a refund that is higher than its fee": _PAID + _MOVEMENT.format(kind="refund", amount="6"),
    "a refund that is given twice": _PAID + 2 * (_MOVEMENT.format(kind="refund", amount="5") + ";"),
    "transfers that are read and unread": "INSERT INTO ledger_cursors VALUES ('a', -2)",
    "cancelled at no time": "UPDATE tournaments SET status = 'cancelled', reason = 'r'",
    "an event about nothing": "INSERT INTO events (subject, event) VALUES ('', 'happened')",
}
FINAL = {
    "entries": "stake_rao = 0",
    "group_members": "position = 7",
    "round_results": "revision = 7",
    "standings": "rank = 7",
    "attempts": "detail = 'another story'",
    "trainings": "hotkey = 'somebody else'",
    "weight_settings": "block_number = 7",
    "events": "event = 'did not happen'",
    "tournaments": "status = 'active'",
    "titles": "title = '{}'",
    "disqualifications": "reason = 'another'",
    "chain_blocks": "block_number = 7",
    "chain_commitments": "payload = 'another'",
    "chain_registrations": "stake_rao = 7",
    "chain_transfers": "amount_rao = 7",
    "ledger": "amount_rao = 7",
    "chain_weights": "weights = '{}'",
}
NEVER_DELETED = sorted(set(FINAL) - {"trainings", "tournaments"})


@pytest.fixture(scope="module")
def playing(postgres_server: TestServer) -> Iterator[PostgresStores]:
    """A tournament in its first round: one training begun, one evaluation queued, weights planned, a slot free."""
    with _stores(postgres_server) as postgres:
        _play(postgres)
        yield postgres


@pytest.fixture(scope="module")
def over(postgres_server: TestServer) -> Iterator[PostgresStores]:
    """The same, with everything that can be final made so."""
    with _stores(postgres_server) as postgres:
        plan = _play(postgres)
        postgres.trainings.record(TRAINING, 1, builders.attempt_end(), builders.trained())
        postgres.tournaments.close_round(builders.round_result(plan))
        postgres.tournaments.disqualify(builders.TEXT_1, builders.hotkey(2), "copied code")
        postgres.tournaments.crown(builders.TEXT_1, builders.title_result())
        for statement in TOLD_TO_THE_CHAIN:
            _execute(postgres.database, statement)
        yield postgres


@pytest.mark.parametrize("statement", NEVER_TRUE.values(), ids=NEVER_TRUE)
def test_what_can_never_be_true_is_refused(playing: PostgresStores, statement: str) -> None:
    with pytest.raises(psycopg.IntegrityError):
        _execute(playing.database, statement)


@pytest.mark.parametrize("table", FINAL)
def test_what_is_recorded_is_not_changed(over: PostgresStores, table: str) -> None:
    assert over.count(table)
    with pytest.raises(psycopg.errors.RestrictViolation, match=f"not changed in {table}"):
        _execute(over.database, f"UPDATE {table} SET {FINAL[table]}")


@pytest.mark.parametrize("table", NEVER_DELETED)
def test_what_is_recorded_is_not_deleted(over: PostgresStores, table: str) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation):
        _execute(over.database, f"DELETE FROM {table}")


def test_a_finished_tournament_takes_its_next_title(over: PostgresStores) -> None:
    with psycopg.connect(over.database._dsn) as connection:
        assert connection.execute("UPDATE tournaments SET title = '{}', title_revision = 2").rowcount == 1
        connection.rollback()


@pytest.mark.parametrize("change", ["title_revision = 3", "title_revision = 2, finished_at = now()", "title = '{}'"])
def test_a_finished_tournament_takes_nothing_else(over: PostgresStores, change: str) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation):
        _execute(over.database, f"UPDATE tournaments SET {change}")


@pytest.mark.parametrize("table", ["events", "ledger"])
def test_the_record_is_not_truncated(postgres: PostgresStores, table: str) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation):
        _execute(postgres.database, f"TRUNCATE {table}")


def test_a_refusal_of_the_schema_is_a_stale_state(database: Database) -> None:
    with pytest.raises(StaleStateError, match="check constraint"), database.transaction() as transaction:
        transaction.execute("INSERT INTO events (subject, event) VALUES ('', 'happened')")


@pytest.mark.parametrize("name", ENUMS)
def test_the_enums_are_those_of_the_core(database: Database, name: str) -> None:
    with database.transaction() as transaction:
        rows = transaction.execute("SELECT unnest(enum_range(NULL::" + name + "))::text AS value").fetchall()
    assert [row["value"] for row in rows] == [member.value for member in ENUMS[name]]


def test_every_foreign_key_has_an_index(database: Database) -> None:
    """At least its first column; more would only pay for keys with many rows to one value of it."""
    with database.transaction() as transaction:
        rows = transaction.execute("""
            SELECT c.conrelid::regclass::text AS table, c.conname AS key
              FROM pg_constraint c
             WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace
               AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indpred IS NULL
                      AND i.indkey[0] = ANY (c.conkey))""").fetchall()
    assert rows == []


@contextmanager
def _stores(server: TestServer) -> Iterator[PostgresStores]:
    with server.database() as dsn:
        database = Database(dsn)
        yield PostgresStores.on(database)
        database.close()


def _play(postgres: PostgresStores) -> RoundPlan:
    plan = play_to_first_round(postgres)
    postgres.trainings.begin(TRAINING, builders.lease(1))
    challenge = plan.groups[0].challenges[0].challenge_id
    purpose = EvaluationPurpose.TOURNAMENT
    postgres.evaluations.request(challenge, builders.checkpoint(), purpose, OTHER_TRAINING, None, OTHER_TRAINING)
    postgres.leases.register_slots(builders.slots(1))
    postgres.weights.plan(builders.weight_setting())
    return plan


def _execute(database: Database, statement: str) -> None:
    """As a stranger would, past our own naming of errors. A refusal rolls back."""
    with psycopg.connect(database._dsn) as connection:
        connection.execute(statement.encode())
