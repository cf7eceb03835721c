"""Rounds within one transaction: the draw as rows, challenges, trainings and standings."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from psycopg.rows import DictRow

from core.challenge import Challenge, ChallengeData, ChallengePlan, ChallengeStatus
from core.errors import StaleStateError
from core.ids import CHAMPION, MIRROR, ChallengeId, Contestant, TournamentId, training_id
from core.tournament import Champion, Entry, Group, Round, RoundPlan, RoundResult, RoundStatus, Standing
from gateways.postgres.database import Transaction, as_stored, jsonb, read
from gateways.postgres.queries import queries

_SQL = queries("rounds")
Row = dict[str, Any]


def write_round(transaction: Transaction, tournament_id: TournamentId, plan: RoundPlan, code: Mapping[str, Row]) -> int:
    """Write the draw and a queued training for each member of each challenge; return how many.

    Args:
        code: what each contestant plays with, as `code_of` makes it.
    """
    transaction.execute(_SQL["write_round"], plan.model_dump(exclude={"groups"}) | {"tournament_id": tournament_id})
    trainings = list(_trainings(plan, code))
    with transaction.cursor() as cursor:
        cursor.executemany(_SQL["write_group"], [group.model_dump() | _of(plan) for group in plan.groups])
        cursor.executemany(_SQL["write_member"], list(_members(plan)))
        cursor.executemany(_SQL["write_challenge"], list(_challenges(plan)))
        cursor.executemany(_SQL["write_training"], trainings)
    return len(trainings)


def code_of(champion: Champion, accepted: list[Entry]) -> dict[str, Row]:
    """Whose code each contestant plays with: an entrant its accepted entry, champion and mirror the frozen code."""
    entrants = {str(entry.hotkey): _code(entry) for entry in accepted}
    return entrants | dict.fromkeys((CHAMPION, MIRROR), _code(champion))


def rounds_of(transaction: Transaction, tournament_id: TournamentId) -> tuple[Round, ...]:
    """All rounds as they were drawn, by number."""
    values = {"tournament_id": tournament_id}
    challenges: defaultdict[str, list[DictRow]] = defaultdict(list)
    for row in transaction.execute(_SQL["challenges"], values):
        challenges[row["group_id"]].append(row["plan"])
    groups: defaultdict[str, list[Group]] = defaultdict(list)
    for row in transaction.execute(_SQL["groups"], values):
        groups[row["round_id"]].append(read(Group, row, challenges=challenges[row["group_id"]]))
    rows = transaction.execute(_SQL["rounds"], values).fetchall()
    return tuple(read(Round, row, plan=read(RoundPlan, row, groups=groups[row["round_id"]])) for row in rows)


def challenges_of(transaction: Transaction, tournament_id: TournamentId) -> tuple[Challenge, ...]:
    """In the order of the draw."""
    rows = transaction.execute(_SQL["challenges"], {"tournament_id": tournament_id}).fetchall()
    return tuple(read(Challenge, row) for row in rows)


def results_of(transaction: Transaction, tournament_id: TournamentId) -> tuple[RoundResult, ...]:
    """The newest revision of each closed round, by number; superseded rounds are left out."""
    values = {"tournament_id": tournament_id}
    standings: defaultdict[str, list[Standing]] = defaultdict(list)
    for row in transaction.execute(_SQL["newest_standings"], values):
        standings[row["round_id"]].append(read(Standing, row))
    rows = transaction.execute(_SQL["newest_results"], values).fetchall()
    return tuple(read(RoundResult, row, standings=standings[row["round_id"]]) for row in rows)


def settle_challenge(
    transaction: Transaction, challenge_id: ChallengeId, data: ChallengeData | None, reason: str | None
) -> bool:
    """Planned → ready or failed. False when just this is there already; raises StaleStateError on anything else."""
    there = transaction.execute(_SQL["lock_challenge"], {"challenge_id": challenge_id}).fetchone()
    if there is None:
        raise StaleStateError(f"there is no challenge {challenge_id}")
    if (there["data"], there["reason"]) == (as_stored(data), as_stored(reason)):
        return False
    values = {"challenge_id": challenge_id, "data": jsonb(data), "reason": reason}
    if not transaction.execute(_SQL["settle_challenge"], values).rowcount:
        raise StaleStateError(f"challenge {challenge_id} is {there['status']} already")
    return True


def replan_challenge(transaction: Transaction, challenge_id: ChallengeId, plan: ChallengePlan) -> Challenge | None:
    """Failed → planned anew; the challenge as it failed. None when just this plan is there already."""
    row = transaction.execute(_SQL["lock_challenge"], {"challenge_id": challenge_id}).fetchone()
    if row is None:
        raise StaleStateError(f"there is no challenge {challenge_id}")
    if row["plan"] == as_stored(plan):
        return None
    there = read(Challenge, row)
    if there.status is not ChallengeStatus.FAILED or plan.replacement != there.plan.replacement + 1:
        raise StaleStateError(
            f"replacement {plan.replacement} of challenge {challenge_id} cannot follow {there.plan.replacement}, "
            f"which is {there.status}: load it anew"
        )
    values = {"challenge_id": challenge_id, "plan": jsonb(plan), "kind": plan.kind}
    transaction.execute(_SQL["replan_challenge"], values)
    return there


def write_result(transaction: Transaction, result: RoundResult) -> bool:
    """Write standings, and close the round where they are the first. False when just this revision is there already."""
    round_ = transaction.execute(_SQL["lock_round"], {"round_id": result.round_id}).fetchone()
    if round_ is None or round_["number"] != result.number:
        raise StaleStateError(f"there is no round {result.round_id} of number {result.number}")
    if result.revision <= round_["revision"] and as_stored(_there(transaction, result)) == as_stored(result):
        return False
    if result.revision != round_["revision"] + 1 or round_["status"] == RoundStatus.SUPERSEDED:
        raise StaleStateError(
            f"revision {result.revision} of the {round_['status']} round {result.round_id} cannot follow "
            f"{round_['revision']}: load it anew"
        )
    _write_standings(transaction, result)
    transaction.execute(_SQL["close"], {"round_id": result.round_id})
    return True


def expect_last(transaction: Transaction, tournament_id: TournamentId, result: RoundResult | None) -> None:
    """Raises StaleStateError when another result than this one is the last that counts; None asks for nothing."""
    last = next(reversed(results_of(transaction, tournament_id)), None)
    if result is not None and as_stored(last) != as_stored(result):
        raise StaleStateError(f"revision {result.revision} of round {result.round_id} is not the last result any more")


def _there(transaction: Transaction, result: RoundResult) -> RoundResult:
    """What is there under the result's revision."""
    rows = transaction.execute(_SQL["standings"], {"round_id": result.round_id, "revision": result.revision})
    return result.model_copy(update={"standings": tuple(read(Standing, row) for row in rows)})


def _write_standings(transaction: Transaction, result: RoundResult) -> None:
    of = {"round_id": result.round_id, "revision": result.revision}
    transaction.execute(_SQL["write_result"], of)
    rows = [
        standing.model_dump() | of | {"position": position, "gap": jsonb(standing.gap)}
        for position, standing in enumerate(result.standings, start=1)
    ]
    with transaction.cursor() as cursor:
        cursor.executemany(_SQL["write_standing"], rows)


def _code(source: Entry | Champion) -> Row:
    return source.model_dump(include={"hotkey", "repository", "commit"}) | {"tree": jsonb(source.tree)}


def _of(plan: RoundPlan) -> Row:
    return {"round_id": plan.round_id}


def _members(plan: RoundPlan) -> Iterator[Row]:
    for group in plan.groups:
        for position, contestant in enumerate(group.members, start=1):
            yield _of(plan) | {"group_id": group.group_id, "position": position, "contestant": contestant}


def _challenges(plan: RoundPlan) -> Iterator[Row]:
    for group in plan.groups:
        for position, challenge in enumerate(group.challenges, start=1):
            row = {"challenge_id": challenge.challenge_id, "kind": challenge.kind, "plan": jsonb(challenge)}
            yield row | {"group_id": group.group_id, "position": position}


def _trainings(plan: RoundPlan, code: Mapping[str, Row]) -> Iterator[Row]:
    for group in plan.groups:
        for challenge in group.challenges:
            for member in group.members:
                yield _training(challenge, member, code)


def _training(challenge: ChallengePlan, member: Contestant, code: Mapping[str, Row]) -> Row:
    if member not in code:
        raise StaleStateError(f"{member} has no accepted entry and cannot train on {challenge.challenge_id}")
    name = training_id(challenge.challenge_id, member)
    return {"training_id": name, "challenge_id": challenge.challenge_id, "contestant": member} | code[member]
