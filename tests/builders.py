"""Small, valid values for tests. Each builder takes what matters to a test and fills in the rest."""

from datetime import UTC, datetime, timedelta
from typing import Any

from core.artifacts import ArtifactKind, ArtifactRef
from core.challenge import (
    Challenge,
    ChallengeData,
    ChallengeKind,
    ChallengePlan,
    ChallengeStatus,
    DatasetInfo,
    ModelInfo,
)
from core.compute import ContainerSpec, Ending, Lease, Limits, Slot
from core.errors import Fault
from core.evaluation import Evaluation, EvaluationPurpose, Refused, Scored
from core.ids import (
    CHAMPION,
    ChallengeId,
    Coldkey,
    Contestant,
    Hotkey,
    RoundId,
    TournamentId,
    TrainingId,
    challenge_id,
    evaluation_id,
    group_id,
    round_id,
    tournament_id,
    training_id,
)
from core.tournament import (
    Champion,
    Entry,
    EntryClaim,
    EntryStatus,
    Group,
    RoundPlan,
    RoundResult,
    RoundType,
    Standing,
    TitleResult,
    Tournament,
    TournamentKind,
    TournamentStatus,
    WeightSetting,
)
from core.training import AttemptEnd, Trained, Training, TrainingFailed, WorkStatus
from core.value import sha256_hex

NOW = datetime(2030, 1, 1, tzinfo=UTC)
NETUID = 56
TEXT_1 = tournament_id("text", 1)
MIB = 1 << 20


def at(seconds: float) -> datetime:
    """A moment, `seconds` after `NOW`."""
    return NOW + timedelta(seconds=seconds)


def hotkey(number: int) -> Hotkey:
    """An address that looks like one (48 base58 characters) and says its number."""
    return Hotkey(_address("5Hotkey", number))


def coldkey(number: int) -> Coldkey:
    return Coldkey(_address("5CoLdkey", number))


def _address(prefix: str, number: int) -> str:
    return f"{prefix}{number}x".replace("0", "o").ljust(48, "x")


def sha256(seed: object) -> str:
    return sha256_hex(str(seed).encode())


def commit(seed: object) -> str:
    """40 hex digits."""
    return sha256(seed)[:40]


def repository(seed: object) -> str:
    return f"https://github.com/miners/trainer-{seed}"


def artifact(kind: ArtifactKind, seed: object = 0, *, is_tree: bool = False) -> ArtifactRef:
    """A reference to bytes that are in no store."""
    return ArtifactRef(kind=kind, sha256=sha256(f"{kind}/{seed}"), size_bytes=1000, is_tree=is_tree)


def source(seed: object = 0) -> ArtifactRef:
    return artifact(ArtifactKind.SOURCE, seed, is_tree=True)


def checkpoint(seed: object = 0) -> ArtifactRef:
    return artifact(ArtifactKind.CHECKPOINT, seed, is_tree=True)


def champion(number: int = 900, **changes: Any) -> Champion:
    fields = {
        "hotkey": hotkey(number),
        "repository": repository(number),
        "commit": commit(number),
        "tree": source(number),
        "won": None,
    }
    return Champion.model_validate(fields | changes)


def tournament(number: int = 1, kind: TournamentKind = TournamentKind.TEXT, **changes: Any) -> Tournament:
    """One that collects entries."""
    fields = {
        "tournament_id": tournament_id(kind, number),
        "kind": kind,
        "status": TournamentStatus.COLLECTING,
        "netuid": NETUID,
        "rules": {"version": "test/1"},
        "opened_block": 100,
        "closing_block": 110,
        "champion": champion(),
    }
    return Tournament.model_validate(fields | changes)


def claim(number: int = 1, kind: TournamentKind = TournamentKind.TEXT) -> EntryClaim:
    return EntryClaim(kind=kind, repository=repository(number), commit=commit(number))


def entry(number: int = 1, **changes: Any) -> Entry:
    """An accepted entry of miner `number`."""
    fields = {
        "hotkey": hotkey(number),
        "coldkey": coldkey(number),
        "stake_rao": 1_000_000_000 * number,
        "repository": repository(number),
        "commit": commit(number),
        "registered_block": number,
        "tree": source(number),
        "status": EntryStatus.ACCEPTED,
    }
    return Entry.model_validate(fields | changes)


def refused_entry(number: int, reason: str = "no such commit") -> Entry:
    return entry(number, tree=None, status=EntryStatus.REFUSED, reason=reason, fault=Fault.MINER)


def entries(count: int) -> list[Entry]:
    """Accepted entries of the miners 1 to `count`."""
    return [entry(number) for number in range(1, count + 1)]


def model(name: str = "tiny", **changes: Any) -> ModelInfo:
    return ModelInfo.model_validate({"model_id": f"models/{name}", "revision": "1", "parameters": 1_000_000} | changes)


def dataset(name: str = "docstrings", **changes: Any) -> DatasetInfo:
    fields = {
        "dataset_id": f"datasets/{name}",
        "revision": "1",
        "kind": ChallengeKind.INSTRUCT,
        "rows": 2000,
        "columns": {"instruct": "source", "output": "docstring"},
    }
    return DatasetInfo.model_validate(fields | changes)


def challenge_plan(challenge: ChallengeId, **changes: Any) -> ChallengePlan:
    fields = {
        "challenge_id": challenge,
        "kind": ChallengeKind.INSTRUCT,
        "seed": sha256(challenge),
        "model": model(),
        "dataset": dataset(),
        "training_seconds": 20.0,
    }
    return ChallengePlan.model_validate(fields | changes)


def challenge_data(seed: object = 0) -> ChallengeData:
    return ChallengeData(
        base_model=artifact(ArtifactKind.MODEL, seed, is_tree=True),
        train=artifact(ArtifactKind.DATASET, f"train-{seed}"),
        test=artifact(ArtifactKind.DATASET, f"test-{seed}"),
        train_rows=900,
        test_rows=100,
        dropped_rows={"empty answer": 3},
    )


def challenge(plan: ChallengePlan, **changes: Any) -> Challenge:
    """A challenge that is ready, placed by its id."""
    group, _, _ = plan.challenge_id.rpartition("-c")
    round_, _, _ = group.rpartition("-g")
    fields = {
        "plan": plan,
        "tournament_id": round_.rpartition("-r")[0],
        "round_id": round_,
        "group_id": group,
        "status": ChallengeStatus.READY,
        "data": challenge_data(plan.challenge_id),
    }
    return Challenge.model_validate(fields | changes)


def group(round_: RoundId, position: int, members: tuple[Contestant, ...], challenges: int = 1) -> Group:
    """A group and its challenges; one of a single member is a bye and has none."""
    name = group_id(round_, position)
    count = challenges if len(members) > 1 else 0
    plans = tuple(challenge_plan(challenge_id(name, place)) for place in range(1, count + 1))
    return Group(group_id=name, position=position, members=members, challenges=plans)


def round_plan(
    *groups: tuple[Contestant, ...],
    tournament: TournamentId = TEXT_1,
    number: int = 1,
    type: RoundType = RoundType.GROUP,
    challenges: int = 1,
) -> RoundPlan:
    """A round of these groups, each with that many challenges."""
    name = round_id(tournament, number)
    drawn = tuple(group(name, place, members, challenges) for place, members in enumerate(groups, start=1))
    return RoundPlan(round_id=name, number=number, type=type, groups=drawn)


def contestants(*numbers: int) -> tuple[Contestant, ...]:
    """The miners of these numbers, as a group's members; 0 is the champion."""
    return tuple(Contestant(hotkey(number)) if number else CHAMPION for number in numbers)


def round_result(plan: RoundPlan, revision: int = 1, **changes: Any) -> RoundResult:
    """Everybody in the order of the draw, the first of each group advancing."""
    standings = [
        Standing(group_id=g.group_id, contestant=member, rank=rank, value=float(rank), advances=rank == 1)
        for g in plan.groups
        for rank, member in enumerate(g.members, start=1)
    ]
    fields = {"round_id": plan.round_id, "number": plan.number, "revision": revision, "standings": standings}
    return RoundResult.model_validate(fields | changes)


def title_result(challenger: int = 1, *, champion: int = 900, changed_hands: bool = True) -> TitleResult:
    winner = challenger if changed_hands else champion
    return TitleResult(
        challenger=hotkey(challenger),
        champion=hotkey(champion),
        threshold="0.05",
        winner=hotkey(winner),
        changed_hands=changed_hands,
        performance_difference="0.25",
        why="2 of 3 challenges",
    )


def training(challenge: ChallengeId, number: int = 1, **changes: Any) -> Training:
    """Miner `number`'s queued training."""
    fields = {
        "training_id": training_id(challenge, Contestant(hotkey(number))),
        "challenge_id": challenge,
        "contestant": hotkey(number),
        "hotkey": hotkey(number),
        "repository": repository(number),
        "commit": commit(number),
        "tree": source(number),
        "status": WorkStatus.QUEUED,
    }
    return Training.model_validate(fields | changes)


def trained(seed: object = 0) -> Trained:
    return Trained(checkpoint=checkpoint(seed))


def training_failed(reason: str = "the script crashed", fault: Fault = Fault.MINER) -> TrainingFailed:
    return TrainingFailed(reason=reason, fault=fault)


def evaluation(training: TrainingId, challenge: ChallengeId, number: int = 1, **changes: Any) -> Evaluation:
    """A queued one."""
    fields = {
        "evaluation_id": evaluation_id(training, number),
        "challenge_id": challenge,
        "training_id": training,
        "checkpoint": checkpoint(training),
        "purpose": EvaluationPurpose.TOURNAMENT,
        "status": WorkStatus.QUEUED,
    }
    return Evaluation.model_validate(fields | changes)


def scored(loss: float = 1.5) -> Scored:
    return Scored(value=loss, weight=5000, rows=100, per_example_sha256=sha256(loss))


def refused(reason: str = "not a fine-tune of the base") -> Refused:
    return Refused(reason=reason)


def report(seed: object = 0) -> ArtifactRef:
    return artifact(ArtifactKind.REPORT, seed, is_tree=True)


def attempt_end(ending: Ending = Ending.FINISHED, **changes: Any) -> AttemptEnd:
    fields = {
        "started_at": at(1),
        "ended_at": at(21),
        "ending": ending,
        "exit_code": 0 if ending is Ending.FINISHED else None,
        "fault": Fault.PLATFORM if ending in {Ending.LOST, Ending.REFUSED} else None,
        "peak_memory_bytes": 100 * MIB,
        "log": artifact(ArtifactKind.LOG, ending),
    }
    return AttemptEnd.model_validate(fields | changes)


def slots(count: int = 1, instance: str = "local") -> list[Slot]:
    return [Slot(resource=f"slot/{instance}/{number}", instance=instance) for number in range(count)]


def lease(token: int = 1, owner: str = "owner", holder: str = "holder", instance: str = "local") -> Lease:
    """A lease of one slot that no store knows of."""
    return Lease(owner=owner, holder=holder, token=token, slots=tuple(slots(1, instance)))


def limits(**changes: Any) -> Limits:
    return Limits.model_validate({"seconds": 20.0, "memory_bytes": 512 * MIB, "cpus": 1.0} | changes)


def container_spec(name: str = "run-1", **changes: Any) -> ContainerSpec:
    fields = {"name": name, "image": "god/trainer:test", "output_target": "/app/checkpoints", "limits": limits()}
    return ContainerSpec.model_validate(fields | changes)


def weight_setting(seed: object = 0, **changes: Any) -> WeightSetting:
    """All weight to miner 1, from evidence that differs by seed."""
    evidence = artifact(ArtifactKind.EVIDENCE, seed)
    fields = {
        "setting_id": f"weights-{evidence.sha256[:16]}",
        "netuid": NETUID,
        "policy": "winner-takes-all/1",
        "evidence": evidence,
        "weights": {hotkey(1): "1"},
    }
    return WeightSetting.model_validate(fields | changes)
