"""Which policy is in force, and with which constants."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from core.tournament import Tournament, TournamentKind
from tournament.rules import NAMED, Emission, PodiumEmission, TournamentRules

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def policy_in_force(finished: Sequence[Tournament]) -> str:
    """That of the rules of the tournament that finished last, of whatever kind. Raises ValueError for none."""
    newest = max(finished, key=lambda tournament: (tournament.finished_at or _LONG_AGO, tournament.tournament_id))
    return _rules(newest).emission.policy


def constants_of(tournament: Tournament, policy: str) -> Emission:
    """Its own where its rules name the policy, else the shipped ones."""
    own = _rules(tournament).emission
    return own if own.policy == policy else shipped_constants(tournament.kind, policy)


def shipped_constants(kind: TournamentKind, policy: str) -> Emission:
    """Those of the first named rule set that has the policy. Raises ValueError when none has."""
    shipped = (rules[kind].emission for rules in NAMED.values() if kind in rules)
    found = next((emission for emission in shipped if emission.policy == policy), None)
    if found is None:
        raise ValueError(f"no named rules have constants of the weight policy {policy!r} for {kind} tournaments")
    return found


def tournaments_looked_back(emission: Emission) -> int:
    """How many tournaments before the newest one the policy counts the entrants of."""
    return emission.balance_tournaments if isinstance(emission, PodiumEmission) else 0


def is_runner_up_paid(emission: Emission, finished_at: datetime | None, now: datetime) -> bool:
    """False once its days after the end are over, in policies that count them."""
    if not isinstance(emission, PodiumEmission) or finished_at is None:
        return True
    return now < finished_at + timedelta(days=emission.runner_up_days)


def _rules(tournament: Tournament) -> TournamentRules:
    return TournamentRules.model_validate(tournament.rules)
