"""What opens by schedule."""

from core.tournament import TournamentKind
from gateways.wiring import settings


def scheduled_rules() -> dict[TournamentKind, str]:
    """Kinds that open by schedule, and the rules that they open by."""
    return settings().tournaments.rules
