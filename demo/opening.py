"""Have the platform open a tournament, as its operator would.

Imports Prefect, whose client reads its server's address once: only after `god up`.
"""

from collections.abc import Sequence
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment

from core.challenge import ChallengeKind
from core.errors import GodError
from core.ids import Hotkey, TournamentId
from core.ports import Ports
from core.tournament import TournamentKind, TournamentStatus

RULES, RULES_OF_KINDS = "demo", "demo-kinds"
OPENING_SECONDS = 120.0


def unfinished(ports: Ports) -> TournamentId | None:
    """A tournament that an earlier demo left behind; a halted one is told to go on."""
    latest = ports.tournaments.latest(TournamentKind.TEXT)
    if latest is None or latest.status in (TournamentStatus.FINISHED, TournamentStatus.CANCELLED):
        return None
    if latest.status is TournamentStatus.HALTED:
        ports.tournaments.resume(latest.tournament_id)
    return latest.tournament_id


def open_tournament(ports: Ports, first_champion: Hotkey, kinds: Sequence[ChallengeKind]) -> TournamentId:
    """Start the deployment that opens the next tournament and return its id. Raises GodError when it fails."""
    parameters = {
        "kind": TournamentKind.TEXT.value,
        "rules": RULES_OF_KINDS if kinds else RULES,
        "first_champion": first_champion,
        "challenge_kinds": [kind.value for kind in kinds],
    }
    run = run_deployment(
        "open-tournament/default", parameters=parameters, timeout=OPENING_SECONDS, poll_interval=0.5, as_subflow=False
    )
    assert isinstance(run, FlowRun)
    _check(run.id)
    opened = unfinished(ports)
    if opened is None:
        raise GodError("the flow run open-tournament ended and no tournament is open: see its logs in the Prefect UI")
    return opened


def _check(run_id: UUID) -> None:
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(run_id).state
    if state is None or not state.is_completed():
        said = f"{state.name}: {state.message}" if state else "without a state"
        raise GodError(f"the flow run open-tournament did not complete within {OPENING_SECONDS:.0f} s, it is {said}")
