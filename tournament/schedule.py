"""When the next tournament of a kind opens. Each kind goes by its own newest tournament and its own schedule."""

from datetime import UTC, datetime, timedelta

from core.tournament import Tournament, TournamentStatus
from tournament.rules import Schedule, WeeklyWindow

_OVER = (TournamentStatus.FINISHED, TournamentStatus.CANCELLED)


def next_opening(newest: Tournament | None, schedule: Schedule, now: datetime) -> datetime | None:
    """When the next one opens, with a time zone; a moment that is not after `now`: at once. None: one is open.

    The pause begins with the end of the newest, however it ended: one that was cancelled for want of entrants does not
    open again the next minute.
    """
    if newest is None:
        return now
    ended = ended_at(newest)
    if ended is None:
        return None
    earliest = ended + timedelta(seconds=schedule.pause_seconds)
    return earliest if schedule.weekly is None else _in_window(max(earliest, now), schedule.weekly)


def is_due(newest: Tournament | None, schedule: Schedule, now: datetime) -> bool:
    opening = next_opening(newest, schedule, now)
    return opening is not None and opening <= now


def ended_at(tournament: Tournament) -> datetime | None:
    """When it was finished or cancelled; None while it goes on."""
    return (tournament.finished_at or tournament.cancelled_at) if tournament.status in _OVER else None


def _in_window(earliest: datetime, window: WeeklyWindow) -> datetime:
    """The first moment in the window's hour, UTC, that is not before `earliest`."""
    moment = earliest.astimezone(UTC)
    if (moment.weekday(), moment.hour) == (window.weekday, window.hour):
        return moment
    days = (window.weekday - moment.weekday()) % 7
    start = (moment + timedelta(days=days)).replace(hour=window.hour, minute=0, second=0, microsecond=0)
    return start if start > moment else start + timedelta(days=7)
