from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.tournament import Tournament, TournamentKind, TournamentStatus
from tests import builders
from tournament.rules import CALIBRATED_TEXT, CLASSIC_TEXT, Schedule, WeeklyWindow
from tournament.schedule import is_due, next_opening

DAY = timedelta(days=1)
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
"""A Tuesday."""
moments = st.datetimes(datetime(2030, 1, 1), datetime(2030, 3, 1), timezones=st.just(UTC))
windows = st.builds(WeeklyWindow, weekday=st.integers(0, 6), hour=st.integers(0, 23))
schedules = st.builds(Schedule, pause_seconds=st.floats(0, 10**6), weekly=st.none() | windows)


def finished(at: datetime = NOON) -> Tournament:
    return builders.tournament(
        status=TournamentStatus.FINISHED, title=builders.title_result(), seed=builders.sha256("s"), finished_at=at
    )


def cancelled(at: datetime = NOON) -> Tournament:
    return builders.tournament(status=TournamentStatus.CANCELLED, reason="too few entrants", cancelled_at=at)


def weekly(weekday: int, hour: int, pause_seconds: float = 0) -> Schedule:
    return Schedule(pause_seconds=pause_seconds, weekly=WeeklyWindow(weekday=weekday, hour=hour))


def test_the_first_of_a_kind_opens_at_once():
    assert next_opening(None, Schedule(), NOON) == NOON
    assert is_due(None, weekly(0, 0), NOON)


@pytest.mark.parametrize(
    "status", [s for s in TournamentStatus if s not in (TournamentStatus.FINISHED, TournamentStatus.CANCELLED)]
)
@given(schedule=schedules, now=moments)
def test_while_one_is_open_nothing_opens(status, schedule, now):
    is_open = builders.tournament(status=status)
    assert next_opening(is_open, schedule, now) is None and not is_due(is_open, schedule, now)


@pytest.mark.parametrize(("rules", "pause"), [(CALIBRATED_TEXT, DAY), (CLASSIC_TEXT, 3 * DAY)])
@pytest.mark.parametrize("over", [finished(), cancelled()], ids=["finished", "cancelled"])
def test_the_pause_begins_with_the_end(rules, pause, over):
    """Also after one that was cancelled for want of entrants: it does not open again the next minute."""
    assert next_opening(over, rules.schedule, NOON) == NOON + pause
    assert not is_due(over, rules.schedule, NOON + pause - timedelta(microseconds=1))
    assert is_due(over, rules.schedule, NOON + pause) and is_due(over, rules.schedule, NOON + 9 * pause)


def test_with_a_weekly_window_it_opens_in_its_hour():
    friday_nine = weekly(4, 9)
    assert next_opening(finished(), friday_nine, NOON) == datetime(2030, 1, 4, 9, tzinfo=UTC)
    assert is_due(finished(), friday_nine, datetime(2030, 1, 4, 9, 59, 59, tzinfo=UTC))


def test_an_hour_that_was_missed_waits_for_the_next_week():
    missed = datetime(2030, 1, 4, 10, tzinfo=UTC)
    assert not is_due(finished(), weekly(4, 9), missed)
    assert next_opening(finished(), weekly(4, 9), missed) == datetime(2030, 1, 11, 9, tzinfo=UTC)


def test_the_pause_holds_within_the_window_too():
    """The hour of the end is the window's: 30 minutes later it is still open, the pause is over, and not before."""
    tuesday_noon = weekly(1, 12, pause_seconds=1800)
    assert next_opening(finished(), tuesday_noon, NOON) == NOON + timedelta(minutes=30)
    assert next_opening(finished(), weekly(1, 12, pause_seconds=7200), NOON) == NOON + 7 * DAY


@given(over=st.builds(finished, moments) | st.builds(cancelled, moments), schedule=schedules, now=moments)
def test_what_is_due_is_after_the_pause_and_in_the_window(over, schedule, now):
    opening = next_opening(over, schedule, now)
    ended = over.finished_at or over.cancelled_at
    assert opening >= ended + timedelta(seconds=schedule.pause_seconds)
    assert opening <= max(now, ended + timedelta(seconds=schedule.pause_seconds)) + 7 * DAY
    if schedule.weekly is not None:
        assert (opening.weekday(), opening.hour) == (schedule.weekly.weekday, schedule.weekly.hour)
    assert is_due(over, schedule, now) == (opening <= now)


@given(over=st.builds(finished, moments), schedule=schedules, now=moments)
def test_the_date_that_is_told_is_kept(over, schedule, now):
    """Whoever looks again at that moment finds it due, and between now and then nothing opens."""
    opening = next_opening(over, schedule, now)
    assume(opening > now)
    assert is_due(over, schedule, opening)
    halfway = now + (opening - now) / 2
    assert not is_due(over, schedule, halfway) and next_opening(over, schedule, halfway) == opening


def test_kinds_do_not_wait_for_each_other():
    """Each goes by its own newest tournament alone."""
    playing = builders.tournament(kind=TournamentKind.TEXT, status=TournamentStatus.ACTIVE)
    over = cancelled().model_copy(update={"kind": TournamentKind.IMAGE, "tournament_id": "image-0001"})
    assert not is_due(playing, Schedule(), NOON + DAY) and is_due(over, Schedule(), NOON + DAY)
