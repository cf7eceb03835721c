"""Tournaments in memory."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from core.challenge import Challenge, ChallengeData, ChallengePlan, ChallengeStatus
from core.errors import StaleStateError
from core.evaluation import Evaluation, EvaluationPurpose
from core.ids import ChallengeId, Contestant, Hotkey, TournamentId
from core.tournament import (
    Entry,
    EntryStatus,
    HaltCause,
    Halted,
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
from core.training import Training
from gateways.memory import ledger, revisions
from gateways.memory.drawing import challenges_of, trainings_of
from gateways.memory.world import TournamentRow, World, changed, transactional

_OPEN = {TournamentStatus.COLLECTING, TournamentStatus.ACTIVE, TournamentStatus.HALTED}
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
            results=_results(row),
            disqualified=dict(row.disqualified),
        )

    def open_ids(self) -> list[TournamentId]:
        rows = [row.tournament for row in self._world.tournaments.values()]
        return [tournament.tournament_id for tournament in rows if tournament.status in _OPEN]

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

    def record_round(self, tournament_id: TournamentId, plan: RoundPlan, after: RoundResult | None = None) -> None:
        row = self._world.tournament(tournament_id)
        there = row.rounds.get(plan.round_id)
        if there is not None and there.plan == plan:
            return
        self._expect(row, TournamentStatus.ACTIVE)
        if there is not None or plan.number in {other.plan.number for other in row.rounds.values()}:
            raise StaleStateError(f"round {plan.number} of {tournament_id} was drawn differently; load it anew")
        if any(other.status is RoundStatus.PLAYING for other in row.rounds.values()):
            raise StaleStateError(f"a round of {tournament_id} is playing; close it before round {plan.number}")
        self._expect_last(row, after)
        trainings = list(trainings_of(row, plan))
        row.rounds[plan.round_id] = Round(plan=plan, status=RoundStatus.PLAYING)
        self._world.challenges.update({c.challenge_id: c for c in challenges_of(tournament_id, plan)})
        self._world.trainings.update({training.training_id: training for training in trainings})
        self._log(tournament_id, "round drawn", round_id=plan.round_id, trainings=len(trainings))

    def challenge_ready(self, challenge_id: ChallengeId, data: ChallengeData) -> None:
        self._settle(challenge_id, ChallengeStatus.READY, data=data)

    def challenge_failed(self, challenge_id: ChallengeId, reason: str) -> None:
        self._settle(challenge_id, ChallengeStatus.FAILED, reason=reason)

    def replan_challenge(self, challenge_id: ChallengeId, plan: ChallengePlan) -> None:
        there = self._challenge(challenge_id)
        if there.plan == plan:
            return
        if there.status is not ChallengeStatus.FAILED or plan.replacement != there.plan.replacement + 1:
            raise StaleStateError(
                f"replacement {plan.replacement} of challenge {challenge_id} cannot follow {there.plan.replacement}, "
                f"which is {there.status}: load it anew"
            )
        planned = changed(there, plan=plan, status=ChallengeStatus.PLANNED, reason=None)
        self._world.challenges[challenge_id] = planned
        rounds = self._world.tournament(there.tournament_id).rounds
        rounds[there.round_id] = revisions.replaced(rounds[there.round_id], challenge_id, plan)
        details = {"dataset": there.plan.dataset.dataset_id, "reason": there.reason}
        self._world.log(f"challenge:{challenge_id}", "replaced", replacement=plan.replacement, **details)

    def close_round(self, result: RoundResult) -> None:
        row = self._row_of(result)
        earlier, round_ = row.results.get(result.round_id, []), row.rounds[result.round_id]
        if result in earlier:
            return
        self._expect(row, TournamentStatus.ACTIVE, TournamentStatus.HALTED)
        if result.revision != len(earlier) + 1 or round_.status is RoundStatus.SUPERSEDED:
            raise StaleStateError(
                f"revision {result.revision} of the {round_.status} round {result.round_id} cannot follow "
                f"{len(earlier)}: load it anew"
            )
        row.results[result.round_id] = [*earlier, result]
        row.rounds[result.round_id] = changed(round_, status=RoundStatus.CLOSED)
        details: dict[str, Any] = {"round_id": result.round_id, "revision": result.revision}
        if earlier and _through(earlier[-1]) != _through(result):
            details["superseded"] = revisions.supersede_after(self._world, row, result.number)
        event = "round revised" if earlier else "round closed"
        self._log(row.tournament.tournament_id, event, **details)

    def crown(self, tournament_id: TournamentId, title: TitleResult, after: RoundResult | None = None) -> None:
        row = self._world.tournament(tournament_id)
        if row.titles and row.titles[0] == title:
            return
        self._expect(row, TournamentStatus.ACTIVE)
        self._expect_last(row, after)
        row.titles = [title]
        finish = {"status": TournamentStatus.FINISHED, "finished_at": self._world.clock()}
        self._change(row, "crowned", title=title, title_revision=1, **finish)

    def revise_title(self, tournament_id: TournamentId, title: TitleResult, revision: int) -> None:
        row = self._world.tournament(tournament_id)
        if row.titles[revision - 1 : revision] == [title]:
            return
        self._expect(row, TournamentStatus.FINISHED)
        if revision != len(row.titles) + 1:
            raise StaleStateError(
                f"revision {revision} of the title of {tournament_id} cannot follow {len(row.titles)}: load it anew"
            )
        row.titles.append(title)
        self._change(row, "title revised", title=title, title_revision=revision)

    def disqualify(self, tournament_id: TournamentId, hotkey: Hotkey, reason: str) -> None:
        row = self._world.tournament(tournament_id)
        if row.disqualified.get(hotkey) == reason:
            return
        self._expect(row, TournamentStatus.ACTIVE, TournamentStatus.HALTED, TournamentStatus.FINISHED)
        accepted = {entry.hotkey for entry in row.entries if entry.status is EntryStatus.ACCEPTED}
        if hotkey not in accepted or hotkey in row.disqualified:
            raise StaleStateError(f"{hotkey} has no accepted entry in {tournament_id} that it could lose")
        row.disqualified[hotkey] = reason
        self._log(tournament_id, "disqualified", hotkey=hotkey, reason=reason)

    def cancel(self, tournament_id: TournamentId, reason: str) -> None:
        self._stop(tournament_id, TournamentStatus.CANCELLED, reason, *_OPEN)
        ledger.refund(self._world, tournament_id)

    def halt(self, tournament_id: TournamentId, cause: HaltCause, reason: str, decide_by_block: int) -> None:
        halted = Halted(cause=cause, decide_by_block=decide_by_block)
        self._stop(tournament_id, TournamentStatus.HALTED, reason, TournamentStatus.ACTIVE, halted=halted)

    def resume(self, tournament_id: TournamentId, accept: bool = False) -> None:
        row = self._world.tournament(tournament_id)
        playing = [round_ for round_ in row.rounds.values() if round_.status is RoundStatus.PLAYING]
        has_accepted = any(round_.failures_accepted for round_ in playing)
        if row.tournament.status is TournamentStatus.ACTIVE and (not accept or has_accepted):
            return
        self._expect(row, TournamentStatus.HALTED)
        if accept:
            self._expect_failures(row)
            row.rounds.update({r.plan.round_id: changed(r, failures_accepted=True) for r in playing})
        else:
            revisions.try_again(self._world, row)
        self._change(row, "resumed", status=TournamentStatus.ACTIVE, reason=None, halted=None)

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

    def _challenge(self, challenge_id: ChallengeId) -> Challenge:
        there = self._world.challenges.get(challenge_id)
        if there is None:
            raise StaleStateError(f"there is no challenge {challenge_id}")
        return there

    def _settle(self, challenge_id: ChallengeId, status: ChallengeStatus, **result: Any) -> None:
        there = self._challenge(challenge_id)
        settled = changed(there, status=status, **result)
        if settled == there:
            return
        if there.status is not ChallengeStatus.PLANNED:
            raise StaleStateError(f"challenge {challenge_id} is {there.status} already")
        self._world.challenges[challenge_id] = settled
        details = {key: str(value) for key, value in result.items() if key == "reason"}
        self._world.log(f"challenge:{challenge_id}", status.value, **details)

    def _stop(
        self,
        tournament_id: TournamentId,
        to: TournamentStatus,
        reason: str,
        *from_: TournamentStatus,
        halted: Halted | None = None,
    ) -> None:
        row = self._world.tournament(tournament_id)
        if (row.tournament.status, row.tournament.reason, row.tournament.halted) == (to, reason, halted):
            return
        self._expect(row, *from_)
        over = {"cancelled_at": self._world.clock()} if to is TournamentStatus.CANCELLED else {}
        self._change(row, to.value, status=to, reason=reason, halted=halted, **over)

    def _expect_last(self, row: TournamentRow, result: RoundResult | None) -> None:
        if result is not None and result not in _results(row)[-1:]:
            raise StaleStateError(f"revision {result.revision} of {result.round_id} is not the last result any more")

    def _expect_failures(self, row: TournamentRow) -> None:
        halted = row.tournament.halted
        if halted is None or halted.cause is not HaltCause.FAILURES:
            raise StaleStateError(
                f"tournament {row.tournament.tournament_id} has no failed trainings to accept: "
                "resume it without accepting"
            )

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


def _results(row: TournamentRow) -> tuple[RoundResult, ...]:
    """The newest revision of each closed round, by number; superseded rounds are left out."""
    closed = [round_.plan for round_ in row.rounds.values() if round_.status is RoundStatus.CLOSED]
    return tuple(row.results[plan.round_id][-1] for plan in sorted(closed, key=lambda plan: plan.number))


def _through(result: RoundResult) -> set[Contestant]:
    return {standing.contestant for standing in result.standings if standing.advances}


def _number(tournament: Tournament) -> int:
    return int(tournament.tournament_id.rpartition("-")[2])
