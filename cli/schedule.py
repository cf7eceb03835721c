"""When the next tournament opens, in words."""

from datetime import UTC, datetime

from core.tournament import TournamentKind
from tournament.rules import named
from tournament.schedule import next_opening


def next_date(kind: TournamentKind) -> str:
    """When the next tournament of the kind opens, by the rules that the settings name for it."""
    from gateways.wiring import ports, settings

    newest, rules = ports().tournaments.latest(kind), settings().tournaments.rules.get(kind)
    by_hand = f"`prefect deployment run open-tournament/default --param kind={kind}`"
    if newest is None or rules is None:
        return f"the next {kind} tournament is opened by hand: {by_hand}"
    now = datetime.now(UTC)
    opening = next_opening(newest, named(rules, kind).schedule, now)
    if opening is None:
        return f"{newest.tournament_id} is open"
    when = f"on {opening.astimezone(UTC):%Y-%m-%d at %H:%M} UTC" if opening > now else "now"
    return f"the next {kind} tournament is due {when}, by the rules {rules}; by hand at any time: {by_hand}"
