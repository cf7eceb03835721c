"""Tournaments in memory."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from core.challenge import Challenge, ChallengeData, ChallengeStatus
from core.errors import StaleStateError
from core.evaluation import Evaluation, EvaluationPurpose
from core.ids import CHAMPION, MIRROR, ChallengeId, Contestant, Hotkey, TournamentId, training_id
from core.tournament import (
    Champion,
    Entry,
    EntryStatus,
    Round,
    RoundPlan,
    RoundResult,
    RoundStatus,
    TitleResult,
    Tournament,
    TournamentKind,
    TournamentState,
    TournamentStatus,
)
from core.training import Training, WorkStatus
from gateways.memory import ledger
from gateways.memory.world import TournamentRow, World, changed, transactional

_OPEN = {TournamentStatus.COLLECTING, TournamentStatus.ACTIVE, TournamentStatus.HALTED}
_ATTENDED = {TournamentStatus.COLLECTING, TournamentStatus.ACTIVE}
Work = TypeVar("Work", bound=Training | Evaluation)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@transactional
class MemoryTournaments:
    def __init__(self, world: World) -> None:
        self._world = world

    def open(self, tournament: Tournament) -> Tournament:
        there = next((t for t in self._of_kind(tournament.kind) if t.status in _OPEN), None)
        if there is not None:
            return there
        if tournament.tournament_id in self._world.tournaments:
            raise StaleStateError(f"tournament {tournament.tournament_id} is over; open the next number")
        opened = changed(tournament, opened_at=tournament.opened_at or self._world.clock())
        self._world.tournaments[tournament.tournament_id] = TournamentRow(opened)
        self._log(tournament.tournament_id, "opened", closing_block=tournament.closing_block)
        return opened

    def load(self, tournament_id: TournamentId) -> TournamentState:
        row = self._world.tournament(tournament_id)
        challenges = tuple(c for c in self._world.challenges.values() if c.tournament_id == tournament_id)
        mine = {challenge.challenge_id for challenge in challenges}
        trainings = tuple(t for t in self._world.trainings.values() if t.challenge_id in mine)
        return TournamentState(
            tournament=row.tournament,
            entries=row.entries,
            rounds=tuple(sorted(row.rounds.values(), key=lambda round_: round_.plan.number)),
            challenges=challenges,
            trainings=trainings,
            evaluations=tuple(e for training in trainings for e in self._evaluations_of(training)),
            results=tuple(sorted((r[-1] for r in row.results.values()), key=lambda result: result.number)),
        )

    def open_ids(self) -> list[TournamentId]:
        rows = [row.tournament for row in self._world.tournaments.values()]
        return [tournament.tournament_id for tournament in rows if tournament.status in _ATTENDED]

    def latest(self, kind: TournamentKind) -> Tournament | None:
        return max(self._of_kind(kind), key=_number, default=None)

    def finished(self, kind: TournamentKind) -> list[Tournament]:
        over = [t for t in self._of_kind(kind) if t.status is TournamentStatus.FINISHED]
        return sorted(over, key=lambda tournament: tournament.finished_at or _LONG_AGO, reverse=True)

    def record_entries(self, tournament_id: TournamentId, entries: Sequence[Entry], seed: str) -> None:
        row = self._world.tournament(tournament_id)
        if row.tournament.seed is not None and (row.tournament.seed, row.entries) == (seed, tuple(entries)):
            return
        self._expect(row, TournamentStatus.COLLECTING)
        ledger.charge(self._world, row, entries)
        row.entries = tuple(entries)
        self._change(row, "entries recorded", status=TournamentStatus.ACTIVE, seed=seed)

    def completed_entries(self) -> dict[Hotkey, int]:
        finished = [r for r in self._world.tournaments.values() if r.tournament.status is TournamentStatus.FINISHED]
        return Counter(e.hotkey for row in finished for e in row.entries if e.status is EntryStatus.ACCEPTED)

    def record_round(self, tournament_id: TournamentId, plan: RoundPlan) -> None:
        row = self._world.tournament(tournament_id)
        there = row.rounds.get(plan.round_id)
        if there is not None and there.plan == plan:
            return
        self._expect(row, TournamentStatus.ACTIVE)
        if there is not None or plan.number in {other.plan.number for other in row.rounds.values()}:
            raise StaleStateError(f"round {plan.number} of {tournament_id} was drawn differently; load it anew")
        if any(other.status is RoundStatus.PLAYING for other in row.rounds.values()):
            raise StaleStateError(f"a round of {tournament_id} is playing; close it before round {plan.number}")
        trainings = list(_trainings(row, plan))
        row.rounds[plan.round_id] = Round(plan=plan, status=RoundStatus.PLAYING)
        self._world.challenges.update({c.challenge_id: c for c in _challenges(tournament_id, plan)})
        self._world.trainings.update({training.training_id: training for training in trainings})
        self._log(tournament_id, "round drawn", round_id=plan.round_id, trainings=len(trainings))

    def challenge_ready(self, challenge_id: ChallengeId, data: ChallengeData) -> None:
        self._settle(challenge_id, ChallengeStatus.READY, data=data)

    def challenge_failed(self, challenge_id: ChallengeId, reason: str) -> None:
        self._settle(challenge_id, ChallengeStatus.FAILED, reason=reason)

    def close_round(self, result: RoundResult) -> None:
        row = self._row_of(result)
        revisions = row.results.get(result.round_id, [])
        if result in revisions:
            return
        if result.revision != len(revisions) + 1:
            raise StaleStateError(
                f"revision {result.revision} of round {result.round_id} cannot follow revision {len(revisions)}"
            )
        row.results[result.round_id] = [*revisions, result]
        row.rounds[result.round_id] = changed(row.rounds[result.round_id], status=RoundStatus.CLOSED)
        event = "round closed" if result.revision == 1 else "round revised"
        self._log(row.tournament.tournament_id, event, round_id=result.round_id, revision=result.revision)

    def crown(self, tournament_id: TournamentId, title: TitleResult) -> None:
        row = self._world.tournament(tournament_id)
        if row.tournament.status is TournamentStatus.FINISHED and row.tournament.title == title:
            return
        self._expect(row, TournamentStatus.ACTIVE)
        finish = {"status": TournamentStatus.FINISHED, "finished_at": self._world.clock()}
        self._change(row, "crowned", title=title, **finish)

    def cancel(self, tournament_id: TournamentId, reason: str) -> None:
        self._stop(tournament_id, TournamentStatus.CANCELLED, reason, *_OPEN)
        ledger.refund(self._world, tournament_id)

    def halt(self, tournament_id: TournamentId, reason: str) -> None:
        self._stop(tournament_id, TournamentStatus.HALTED, reason, TournamentStatus.ACTIVE)

    def resume(self, tournament_id: TournamentId) -> None:
        row = self._world.tournament(tournament_id)
        if row.tournament.status is TournamentStatus.ACTIVE:
            return
        self._expect(row, TournamentStatus.HALTED)
        self._restart_work(tournament_id)
        self._change(row, "resumed", status=TournamentStatus.ACTIVE, reason=None)

    def _restart_work(self, tournament_id: TournamentId) -> None:
        """Dispatch counts of unfinished work start anew, failed challenges are planned again."""
        world = self._world
        for challenge in [c for c in world.challenges.values() if c.tournament_id == tournament_id]:
            if challenge.status is ChallengeStatus.FAILED:
                world.challenges[challenge.challenge_id] = changed(
                    challenge, status=ChallengeStatus.PLANNED, reason=None
                )
            for training in [t for t in world.trainings.values() if t.challenge_id == challenge.challenge_id]:
                world.trainings[training.training_id] = _undispatched(training)
            for evaluation in [e for e in world.evaluations.values() if e.challenge_id == challenge.challenge_id]:
                world.evaluations[evaluation.evaluation_id] = _undispatched(evaluation)

    def _evaluations_of(self, training: Training) -> list[Evaluation]:
        of_training = [e for e in self._world.evaluations.values() if e.training_id == training.training_id]
        return [e for e in of_training if e.purpose is EvaluationPurpose.TOURNAMENT]

    def _of_kind(self, kind: TournamentKind) -> list[Tournament]:
        rows = [row.tournament for row in self._world.tournaments.values()]
        return [tournament for tournament in rows if tournament.kind is kind]

    def _row_of(self, result: RoundResult) -> TournamentRow:
        row = next((row for row in self._world.tournaments.values() if result.round_id in row.rounds), None)
        if row is None:
            raise StaleStateError(f"round {result.round_id} was never drawn")
        return row

    def _settle(self, challenge_id: ChallengeId, status: ChallengeStatus, **result: Any) -> None:
        there = self._world.challenges.get(challenge_id)
        if there is None:
            raise StaleStateError(f"there is no challenge {challenge_id}")
        settled = changed(there, status=status, **result)
        if settled == there:
            return
        if there.status is not ChallengeStatus.PLANNED:
            raise StaleStateError(f"challenge {challenge_id} is {there.status} already")
        self._world.challenges[challenge_id] = settled
        details = {key: str(value) for key, value in result.items() if key == "reason"}
        self._world.log(f"challenge:{challenge_id}", status.value, **details)

    def _stop(self, tournament_id: TournamentId, to: TournamentStatus, reason: str, *from_: TournamentStatus) -> None:
        row = self._world.tournament(tournament_id)
        if (row.tournament.status, row.tournament.reason) == (to, reason):
            return
        self._expect(row, *from_)
        over = {"cancelled_at": self._world.clock()} if to is TournamentStatus.CANCELLED else {}
        self._change(row, to.value, status=to, reason=reason, **over)

    def _expect(self, row: TournamentRow, *statuses: TournamentStatus) -> None:
        tournament = row.tournament
        if tournament.status not in statuses:
            expected = " or ".join(sorted(statuses))
            raise StaleStateError(f"tournament {tournament.tournament_id} is {tournament.status}, not {expected}")

    def _change(self, row: TournamentRow, event: str, **changes: Any) -> None:
        row.tournament = changed(row.tournament, **changes)
        self._log(row.tournament.tournament_id, event, status=row.tournament.status.value, reason=row.tournament.reason)

    def _log(self, tournament_id: TournamentId, event: str, **details: Any) -> None:
        self._world.log(f"tournament:{tournament_id}", event, **details)


def _number(tournament: Tournament) -> int:
    return int(tournament.tournament_id.rpartition("-")[2])


def _undispatched(work: Work) -> Work:
    return work if work.status is WorkStatus.DONE else changed(work, dispatches=0)


def _challenges(tournament_id: TournamentId, plan: RoundPlan) -> Iterator[Challenge]:
    for group in plan.groups:
        for challenge in group.challenges:
            yield Challenge(
                plan=challenge,
                tournament_id=tournament_id,
                round_id=plan.round_id,
                group_id=group.group_id,
                status=ChallengeStatus.PLANNED,
            )


def _trainings(row: TournamentRow, plan: RoundPlan) -> Iterator[Training]:
    for group in plan.groups:
        for challenge in group.challenges:
            for member in group.members:
                yield _training(row, challenge.challenge_id, member)


def _training(row: TournamentRow, challenge_id: ChallengeId, member: Contestant) -> Training:
    code = _code_of(row, member)
    return Training(
        training_id=training_id(challenge_id, member),
        challenge_id=challenge_id,
        contestant=member,
        hotkey=code.hotkey,
        repository=code.repository,
        commit=code.commit,
        tree=code.tree,
        status=WorkStatus.QUEUED,
    )


def _code_of(row: TournamentRow, member: Contestant) -> Entry | Champion:
    """What the member plays with: the champion's frozen code (its mirror too), or that of its own accepted entry."""
    if member in (CHAMPION, MIRROR):
        return row.tournament.champion
    for entry in row.entries:
        if Contestant(entry.hotkey) == member and entry.status is EntryStatus.ACCEPTED:
            return entry
    raise StaleStateError(f"{member} has no accepted entry in tournament {row.tournament.tournament_id}")
