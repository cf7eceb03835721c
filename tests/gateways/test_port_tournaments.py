"""The promises of `core.ports.Tournaments`, kept by PostgreSQL and in memory alike."""

import pytest

from core.challenge import ChallengeStatus
from core.compute import Ending
from core.errors import StaleStateError
from core.evaluation import EvaluationPurpose
from core.ids import CHAMPION, MIRROR, ChallengeId, TournamentId, TrainingId, training_id
from core.tournament import (
    Gap,
    HaltCause,
    Halted,
    RoundPlan,
    RoundStatus,
    RoundType,
    TournamentKind,
    TournamentStatus,
)
from core.training import WorkStatus
from tests import builders
from tests.gateways.conftest import Stores

SEED = builders.sha256("seed")


def finish(stores: Stores, number: int, kind: TournamentKind = TournamentKind.TEXT) -> TournamentId:
    """Play a tournament that nobody challenges."""
    tournament_id = stores.tournaments.open(builders.tournament(number, kind)).tournament_id
    stores.tournaments.record_entries(tournament_id, [], SEED)
    stores.tournaments.crown(tournament_id, builders.title_result())
    return tournament_id


def status_of(stores: Stores, tournament_id: TournamentId) -> TournamentStatus:
    return stores.tournaments.load(tournament_id).tournament.status


# Opening


def test_an_opened_tournament_is_loaded_as_it_was_written(stores: Stores) -> None:
    wanted = builders.tournament(rules={"threshold": "0.05", "sizes": [2, 4], "nested": {"on": True}})
    with stores.tells_of("tournament:text-0001"):
        opened = stores.tournaments.open(wanted)
    assert opened.opened_at is not None
    assert opened.model_copy(update={"opened_at": None}) == wanted
    state = stores.tournaments.load(wanted.tournament_id)
    assert state.tournament == opened
    assert (state.entries, state.rounds, state.challenges, state.trainings, state.results) == ((), (), (), (), ())


def test_opening_again_joins_the_open_one(stores: Stores) -> None:
    opened = stores.tournaments.open(builders.tournament(1))
    with stores.tells_nothing():
        assert stores.tournaments.open(builders.tournament(1)) == opened
        assert stores.tournaments.open(builders.tournament(2)) == opened
    assert stores.tournaments.open_ids() == [opened.tournament_id]


def test_an_active_or_halted_tournament_counts_as_open(stores: Stores, active: TournamentId) -> None:
    assert stores.tournaments.open(builders.tournament(2)).tournament_id == active
    stores.tournaments.halt(active, HaltCause.PLATFORM, "three lost runs", 900)
    assert stores.tournaments.open(builders.tournament(2)).tournament_id == active


def test_each_kind_has_a_tournament_of_its_own(stores: Stores) -> None:
    text = stores.tournaments.open(builders.tournament(1, TournamentKind.TEXT))
    image = stores.tournaments.open(builders.tournament(1, TournamentKind.IMAGE))
    assert stores.tournaments.open_ids() == [text.tournament_id, image.tournament_id]


def test_the_number_of_a_past_tournament_is_not_used_again(stores: Stores) -> None:
    finish(stores, 1)
    with pytest.raises(StaleStateError, match="text-0001"):
        stores.tournaments.open(builders.tournament(1))


def test_loading_a_tournament_that_never_was_is_an_error(stores: Stores) -> None:
    with pytest.raises(StaleStateError, match="text-0007"):
        stores.tournaments.load(TournamentId("text-0007"))


def test_latest_goes_by_number_in_whatever_state(stores: Stores) -> None:
    assert stores.tournaments.latest(TournamentKind.TEXT) is None
    finish(stores, 9_999)
    stores.tournaments.open(builders.tournament(10_000))
    stores.tournaments.cancel(TournamentId("text-10000"), "no entrants")
    latest = stores.tournaments.latest(TournamentKind.TEXT)
    assert latest is not None and latest.tournament_id == "text-10000"
    assert stores.tournaments.latest(TournamentKind.IMAGE) is None


def test_finished_ones_come_newest_first_and_without_the_cancelled(stores: Stores) -> None:
    finish(stores, 1)
    stores.tournaments.open(builders.tournament(2))
    stores.tournaments.cancel(TournamentId("text-0002"), "no entrants")
    stores.pass_time(1)
    finish(stores, 3)
    finish(stores, 1, TournamentKind.IMAGE)
    ids = [tournament.tournament_id for tournament in stores.tournaments.finished(TournamentKind.TEXT)]
    assert ids == ["text-0003", "text-0001"]


# Entries


def test_entries_are_kept_in_order_with_their_reasons(stores: Stores) -> None:
    tournament_id = stores.tournaments.open(builders.tournament()).tournament_id
    entries = [builders.entry(3), builders.refused_entry(1, "no Dockerfile"), builders.entry(2)]
    with stores.tells_of(f"tournament:{tournament_id}"):
        stores.tournaments.record_entries(tournament_id, entries, SEED)
    state = stores.tournaments.load(tournament_id)
    assert state.entries == tuple(entries)
    assert (state.tournament.status, state.tournament.seed) == (TournamentStatus.ACTIVE, SEED)


def test_entries_are_recorded_once(stores: Stores, active: TournamentId) -> None:
    with stores.tells_nothing():
        stores.tournaments.record_entries(active, builders.entries(4), SEED)
    with pytest.raises(StaleStateError):
        stores.tournaments.record_entries(active, builders.entries(3), SEED)
    with pytest.raises(StaleStateError):
        stores.tournaments.record_entries(active, builders.entries(4), builders.sha256("another block"))
    assert len(stores.tournaments.load(active).entries) == 4


# Rounds


def test_a_round_comes_with_its_challenges_and_queued_trainings(stores: Stores, active: TournamentId) -> None:
    groups = (builders.contestants(1, 0), builders.contestants(2, 3), builders.contestants(4))
    plan = builders.round_plan(*groups, tournament=active, challenges=2)
    with stores.tells_of(f"tournament:{active}"):
        stores.tournaments.record_round(active, plan)
    state = stores.tournaments.load(active)
    assert [(round_.plan, round_.status) for round_ in state.rounds] == [(plan, RoundStatus.PLAYING)]
    assert [challenge.plan for challenge in state.challenges] == [c for g in plan.groups for c in g.challenges]
    assert {challenge.status for challenge in state.challenges} == {ChallengeStatus.PLANNED}
    expected = {training_id(c.challenge_id, m) for g in plan.groups for c in g.challenges for m in g.members}
    assert {training.training_id for training in state.trainings} == expected
    assert len(expected) == 8, "the bye trains nothing"
    assert {(t.status, t.dispatches, t.attempts) for t in state.trainings} == {(WorkStatus.QUEUED, 0, ())}


def test_a_training_carries_the_code_of_its_contestant(stores: Stores, active: TournamentId) -> None:
    stores.tournaments.record_round(active, builders.round_plan(builders.contestants(1, 0), tournament=active))
    code = {t.contestant: (t.hotkey, t.repository, t.commit, t.tree) for t in stores.tournaments.load(active).trainings}
    entry, champion = builders.entry(1), builders.champion()
    assert code[builders.contestants(1)[0]] == (entry.hotkey, entry.repository, entry.commit, entry.tree)
    assert code[CHAMPION] == (champion.hotkey, champion.repository, champion.commit, champion.tree)


def test_the_mirror_plays_with_the_champions_code(stores: Stores, active: TournamentId) -> None:
    members = (*builders.contestants(0, 1), MIRROR)
    stores.tournaments.record_round(active, builders.round_plan(members, tournament=active, type=RoundType.TITLE))
    code = {t.contestant: (t.hotkey, t.repository, t.commit, t.tree) for t in stores.tournaments.load(active).trainings}
    assert code[MIRROR] == code[CHAMPION] != code[members[1]]


def test_the_champions_owner_may_enter_newer_code(stores: Stores) -> None:
    owner = builders.entry(1)
    champion = builders.champion(hotkey=owner.hotkey, commit=builders.commit("old code"))
    tournament_id = stores.tournaments.open(builders.tournament(champion=champion)).tournament_id
    stores.tournaments.record_entries(tournament_id, [owner], SEED)
    stores.tournaments.record_round(tournament_id, builders.round_plan(builders.contestants(0, 1)))
    commits = {t.contestant: t.commit for t in stores.tournaments.load(tournament_id).trainings}
    assert commits == {CHAMPION: champion.commit, owner.hotkey: owner.commit}


def test_a_round_is_drawn_once(stores: Stores, active: TournamentId, drawn: RoundPlan) -> None:
    before = stores.tournaments.load(active)
    with stores.tells_nothing():
        stores.tournaments.record_round(active, drawn)
    other = builders.round_plan(builders.contestants(1, 3), builders.contestants(2, 4), tournament=active)
    with pytest.raises(StaleStateError):
        stores.tournaments.record_round(active, other)
    assert stores.tournaments.load(active) == before


def test_a_round_waits_for_the_one_before(stores: Stores, active: TournamentId, drawn: RoundPlan) -> None:
    final = builders.round_plan(builders.contestants(1, 3), tournament=active, number=2, type=RoundType.KNOCKOUT)
    with pytest.raises(StaleStateError):
        stores.tournaments.record_round(active, final)
    stores.tournaments.close_round(builders.round_result(drawn))
    stores.tournaments.record_round(active, final)
    state = stores.tournaments.load(active)
    assert [round_.plan for round_ in state.rounds] == [drawn, final]
    assert [round_.status for round_ in state.rounds] == [RoundStatus.CLOSED, RoundStatus.PLAYING]


def test_only_accepted_entrants_are_drawn(stores: Stores) -> None:
    tournament_id = stores.tournaments.open(builders.tournament()).tournament_id
    stores.tournaments.record_entries(tournament_id, [builders.entry(1), builders.refused_entry(2)], SEED)
    for stranger in (2, 3):
        with pytest.raises(StaleStateError):
            stores.tournaments.record_round(tournament_id, builders.round_plan(builders.contestants(1, stranger)))
    assert stores.tournaments.load(tournament_id).rounds == ()


def test_nothing_is_drawn_before_the_entries_are_in(stores: Stores) -> None:
    tournament_id = stores.tournaments.open(builders.tournament()).tournament_id
    with pytest.raises(StaleStateError):
        stores.tournaments.record_round(tournament_id, builders.round_plan(builders.contestants(1, 0)))


# Challenges


def test_a_challenge_is_made_ready_once(stores: Stores, active: TournamentId, challenge: ChallengeId) -> None:
    data = builders.challenge_data()
    stores.tournaments.challenge_ready(challenge, data)
    there = stores.tournaments.load(active).challenges[0]
    assert (there.status, there.data) == (ChallengeStatus.READY, data)
    with stores.tells_nothing():
        stores.tournaments.challenge_ready(challenge, data)
    with pytest.raises(StaleStateError):
        stores.tournaments.challenge_ready(challenge, builders.challenge_data("other"))
    with pytest.raises(StaleStateError):
        stores.tournaments.challenge_failed(challenge, "too late")
    assert stores.tournaments.load(active).challenges[0] == there


def test_a_challenge_fails_once(stores: Stores, active: TournamentId, challenge: ChallengeId) -> None:
    stores.tournaments.challenge_failed(challenge, "the hub lost the dataset")
    there = stores.tournaments.load(active).challenges[0]
    assert (there.status, there.reason) == (ChallengeStatus.FAILED, "the hub lost the dataset")
    with stores.tells_nothing():
        stores.tournaments.challenge_failed(challenge, "the hub lost the dataset")
    with pytest.raises(StaleStateError):
        stores.tournaments.challenge_ready(challenge, builders.challenge_data())


def test_what_becomes_of_a_challenge_is_told(stores: Stores, drawn: RoundPlan) -> None:
    first, second = (group.challenges[0].challenge_id for group in drawn.groups)
    before = len(stores.told())
    stores.tournaments.challenge_ready(first, builders.challenge_data())
    stores.tournaments.challenge_failed(second, "no rows left")
    assert len(stores.told()) == before + 2


def test_an_unknown_challenge_is_an_error(stores: Stores, drawn: RoundPlan) -> None:
    with pytest.raises(StaleStateError):
        stores.tournaments.challenge_ready(ChallengeId("text-0001-r1-g9-c1"), builders.challenge_data())


# Closing rounds


def test_closing_a_round_writes_its_standings(stores: Stores, active: TournamentId, drawn: RoundPlan) -> None:
    result = builders.round_result(drawn)
    with stores.tells_of(f"tournament:{active}"):
        stores.tournaments.close_round(result)
    state = stores.tournaments.load(active)
    assert state.results == (result,)
    assert state.rounds[0].status is RoundStatus.CLOSED


def test_standings_keep_scores_below_zero_and_gaps(stores: Stores, active: TournamentId, drawn: RoundPlan) -> None:
    closed = builders.round_result(drawn)
    first, *others = closed.standings
    gap = Gap(against=others[0].contestant, gain="0.012345678901", low="-0.000000000001", high="0.03")
    scored = first.model_copy(update={"value": -0.1 + 1e-17, "gap": gap})
    result = closed.model_copy(update={"standings": (scored, *others)})
    stores.tournaments.close_round(result)
    assert stores.tournaments.load(active).results == (result,)
    with stores.tells_nothing():
        stores.tournaments.close_round(result)


def test_a_round_is_closed_once(stores: Stores, active: TournamentId, drawn: RoundPlan) -> None:
    result = builders.round_result(drawn)
    stores.tournaments.close_round(result)
    with stores.tells_nothing():
        stores.tournaments.close_round(result)
    with pytest.raises(StaleStateError):
        stores.tournaments.close_round(builders.round_result(drawn, standings=result.standings[::-1]))
    assert stores.tournaments.load(active).results == (result,)


def test_a_later_revision_supersedes_the_one_before(stores: Stores, active: TournamentId, drawn: RoundPlan) -> None:
    first = builders.round_result(drawn)
    second = builders.round_result(drawn, revision=2, standings=first.standings[::-1])
    with pytest.raises(StaleStateError):
        stores.tournaments.close_round(second)
    stores.tournaments.close_round(first)
    with pytest.raises(StaleStateError):
        stores.tournaments.close_round(builders.round_result(drawn, revision=3))
    with stores.tells_of(f"tournament:{active}"):
        stores.tournaments.close_round(second)
    with stores.tells_nothing():
        stores.tournaments.close_round(second)
    assert stores.tournaments.load(active).results == (second,)


def test_a_round_that_was_never_drawn_is_not_closed(stores: Stores, active: TournamentId) -> None:
    with pytest.raises(StaleStateError):
        stores.tournaments.close_round(builders.round_result(builders.round_plan(builders.contestants(1, 2))))


# Ends, halts


def test_crowning_finishes_the_tournament(stores: Stores, active: TournamentId) -> None:
    title = builders.title_result()
    with stores.tells_of(f"tournament:{active}"):
        stores.tournaments.crown(active, title)
    finished = stores.tournaments.load(active).tournament
    assert (finished.status, finished.title) == (TournamentStatus.FINISHED, title)
    assert finished.finished_at is not None
    assert stores.tournaments.open_ids() == []
    with stores.tells_nothing():
        stores.tournaments.crown(active, title)
    with pytest.raises(StaleStateError):
        stores.tournaments.crown(active, builders.title_result(changed_hands=False))
    with pytest.raises(StaleStateError):
        stores.tournaments.cancel(active, "too late")


def test_only_an_active_tournament_is_crowned(stores: Stores) -> None:
    tournament_id = stores.tournaments.open(builders.tournament()).tournament_id
    with pytest.raises(StaleStateError):
        stores.tournaments.crown(tournament_id, builders.title_result())


@pytest.mark.parametrize("stage", ["collecting", "active", "halted"])
def test_any_open_tournament_can_be_cancelled(stores: Stores, stage: str) -> None:
    tournament_id = stores.tournaments.open(builders.tournament()).tournament_id
    if stage != "collecting":
        stores.tournaments.record_entries(tournament_id, builders.entries(2), SEED)
    if stage == "halted":
        stores.tournaments.halt(tournament_id, HaltCause.PLATFORM, "three lost runs", 900)
    with stores.tells_of(f"tournament:{tournament_id}"):
        stores.tournaments.cancel(tournament_id, "only one entrant")
    cancelled = stores.tournaments.load(tournament_id).tournament
    assert (cancelled.status, cancelled.reason) == (TournamentStatus.CANCELLED, "only one entrant")
    assert cancelled.halted is None
    with stores.tells_nothing():
        stores.tournaments.cancel(tournament_id, "only one entrant")
    with pytest.raises(StaleStateError):
        stores.tournaments.cancel(tournament_id, "for another reason")
    assert stores.tournaments.open(builders.tournament(2)).tournament_id == "text-0002"


def test_a_halted_tournament_waits_for_its_operator(stores: Stores, active: TournamentId) -> None:
    with stores.tells_of(f"tournament:{active}"):
        stores.tournaments.halt(active, HaltCause.PLATFORM, "three lost runs", 900)
    halted = stores.tournaments.load(active).tournament
    assert (halted.status, halted.reason) == (TournamentStatus.HALTED, "three lost runs")
    assert halted.halted == Halted(cause=HaltCause.PLATFORM, decide_by_block=900)
    assert stores.tournaments.open_ids() == [active], "somebody must look at it when its time is up"
    with stores.tells_nothing():
        stores.tournaments.halt(active, HaltCause.PLATFORM, "three lost runs", 900)
    with pytest.raises(StaleStateError):
        stores.tournaments.crown(active, builders.title_result())
    with stores.tells_of(f"tournament:{active}"):
        stores.tournaments.resume(active)
    resumed = stores.tournaments.load(active).tournament
    assert (resumed.status, resumed.reason, resumed.halted) == (TournamentStatus.ACTIVE, None, None)
    with stores.tells_nothing():
        stores.tournaments.resume(active)


def test_only_an_active_tournament_is_halted_and_only_a_halted_one_resumed(stores: Stores) -> None:
    tournament_id = stores.tournaments.open(builders.tournament()).tournament_id
    with pytest.raises(StaleStateError):
        stores.tournaments.halt(tournament_id, HaltCause.PLATFORM, "three lost runs", 900)
    with pytest.raises(StaleStateError):
        stores.tournaments.resume(tournament_id)
    assert status_of(stores, tournament_id) is TournamentStatus.COLLECTING


def test_resuming_counts_the_dispatches_of_open_work_anew(
    stores: Stores, active: TournamentId, training: TrainingId, drawn: RoundPlan
) -> None:
    other = training_id(drawn.groups[0].challenges[0].challenge_id, drawn.groups[0].members[1])
    for name in (training, training, other):
        stores.trainings.dispatched(name)
    stores.trainings.begin(training, builders.lease())
    stores.trainings.record(training, 1, builders.attempt_end(), builders.trained())
    evaluation = stores.tournaments.load(active).evaluations[0].evaluation_id
    stores.evaluations.dispatched(evaluation)
    stores.tournaments.halt(active, HaltCause.PLATFORM, "three lost runs", 900)
    stores.tournaments.resume(active)
    assert stores.trainings.load(training).dispatches == 2, "done work stays as it was"
    assert stores.trainings.load(other).dispatches == 0
    assert stores.evaluations.load(evaluation).dispatches == 0


def test_resuming_plans_failed_challenges_again(stores: Stores, active: TournamentId, challenge: ChallengeId) -> None:
    stores.tournaments.challenge_failed(challenge, "the hub lost the dataset")
    stores.tournaments.halt(active, HaltCause.PLATFORM, "a challenge could not be prepared", 900)
    stores.tournaments.resume(active)
    planned = stores.tournaments.load(active).challenges[0]
    assert (planned.status, planned.reason) == (ChallengeStatus.PLANNED, None)
    stores.tournaments.challenge_ready(challenge, builders.challenge_data())


# The whole state


def test_a_state_shows_the_work_of_its_own_tournament_only(
    stores: Stores, active: TournamentId, training: TrainingId, challenge: ChallengeId
) -> None:
    stores.trainings.begin(training, builders.lease())
    end = builders.attempt_end(Ending.TIME_UP)
    stores.trainings.record(training, 1, end, builders.trained())
    again = stores.evaluations.request(
        challenge, builders.checkpoint(), EvaluationPurpose.REEVALUATION, training, None, training
    )
    image = stores.tournaments.open(builders.tournament(1, TournamentKind.IMAGE)).tournament_id
    stores.tournaments.record_entries(image, builders.entries(2), SEED)
    stores.tournaments.record_round(image, builders.round_plan(builders.contestants(1, 2), tournament=image))
    state = stores.tournaments.load(active)
    assert {t.training_id for t in state.trainings} >= {training} and len(state.trainings) == 4
    assert next(t for t in state.trainings if t.training_id == training) == stores.trainings.load(training)
    assert [e.evaluation_id for e in state.evaluations] == [f"{training}-e1"]
    assert again.evaluation_id not in [e.evaluation_id for e in state.evaluations]
    assert {t.challenge_id for t in stores.tournaments.load(image).trainings} == {"image-0001-r1-g1-c1"}
