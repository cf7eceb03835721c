"""What the rows must say when a tournament on a stage is over, whatever happened meanwhile."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import psutil
import psycopg

from core.compute import Ending
from core.errors import Fault
from core.evaluation import Evaluation, Scored
from core.ids import CHAMPION, ChallengeId, Contestant, Hotkey, training_id
from core.ledger import LedgerKind
from core.ports import Ports
from core.tournament import EntryStatus, Round, TournamentKind, TournamentState
from core.training import Attempt, Training, WorkStatus
from gateways.settings import ChainSettings
from gateways.wiring import use_ports
from tasks.evaluations import load_examples
from tests import builders
from tests.flows.staging import KILLED, Stage, is_over
from tests.tournament import states
from tournament import weights
from tournament.emission import classic
from tournament.evidence import Evidence, tournament_evidence
from tournament.results import Examples
from tournament.rules import TournamentRules
from tournament.title import title_gain

Ends = list[tuple[Ending | None, Fault | None]]
ONE_GOOD_END: Ends = [(Ending.FINISHED, None)]
KILLED_TWICE: Ends = [(Ending.KILLED, Fault.PLATFORM), (Ending.KILLED, Fault.MINER)]
TELLING = ("round_id", "attempt", "token", "dispatches")
"""Details by which an event of one name and subject differs from another."""
KILLED_REASON = "killed: killed by SIGKILL, and not by us"


def the_tournament(ports: Ports) -> TournamentState:
    newest = ports.tournaments.latest(TournamentKind.TEXT)
    assert newest is not None
    return ports.tournaments.load(newest.tournament_id)


def check_result(ports: Ports, losses: states.Losses) -> None:
    """Rounds, title and weights are those of the pure rules for the recorded seed and these losses."""
    assert is_over(ports)
    state = the_tournament(ports)
    played = _played(state, losses, measured_rows(ports, state))
    assert [_members(round_) for round_ in state.rounds] == [_members(round_) for round_ in played.rounds]
    assert state.results == played.results
    assert state.tournament.title == played.tournament.title
    setting = ports.weights.latest()
    assert setting is not None
    assert setting.weights == _weights(played)


def known(losses: Mapping[int, str]) -> states.Losses:
    """What the scripted miners of a stage reach."""
    skill: dict[Contestant, states.Loss] = {
        Contestant(builders.hotkey(number)): KILLED_REASON if loss == KILLED else float(loss)
        for number, loss in losses.items()
    }
    return states.by_skill({**skill, CHAMPION: skill[Contestant(builders.hotkey(0))]})


def recorded(state: TournamentState) -> states.Losses:
    """What a real evaluator measured of each training."""
    losses = {e.training_id: e.outcome.value for e in state.evaluations if isinstance(e.outcome, Scored)}
    return lambda contestant, challenge: losses[training_id(ChallengeId(challenge), contestant)]


def measured_rows(ports: Ports, state: TournamentState) -> Examples:
    """Per-example results, as they are stored."""
    with use_ports(ports):
        return load_examples.fn([e for e in state.evaluations if isinstance(e.outcome, Scored)])


def _played(state: TournamentState, losses: states.Losses, examples: Examples) -> TournamentState:
    tournament, rules = state.tournament, TournamentRules.model_validate(state.tournament.rules)
    assert tournament.seed is not None
    opened = states.active(list(state.entries), rules, tournament.seed, champion=tournament.champion)
    return states.play(opened, rules, losses, examples=examples)


def _members(round_: Round) -> list[tuple[str, tuple[Contestant, ...]]]:
    return [(group.group_id, group.members) for group in round_.plan.groups]


def _weights(played: TournamentState) -> dict[Hotkey, str]:
    streak, gain = title_gain([played.tournament])
    evidence = Evidence(
        policy=classic.POLICY,
        netuid=played.tournament.netuid,
        burn_hotkey=Hotkey(ChainSettings().burn_hotkey),
        tournaments=(tournament_evidence(played, streak, gain),),
        participants=(),
    )
    return weights.of(evidence)


def check_once(stage: Stage, ports: Ports, unlucky: Mapping[str, Ends] | None = None) -> None:
    """Every piece of work ran once and every change was told once; nothing of it is left over.

    Args:
        unlucky: Ends of the attempts at the trainings and evaluations that something befell, by id.
    """
    state = the_tournament(ports)
    done: tuple[Training | Evaluation, ...] = (*state.trainings, *state.evaluations)
    for work in done:
        assert work.status is WorkStatus.DONE
        assert ends(work) == (unlucky or {}).get(_id(work), _usual_ends(work)), _id(work)
        assert all(_entry_points(ports, attempt) <= 1 for attempt in work.attempts), _id(work)
    assert repeated(ports) == []
    check_fees(state, ports)
    with psycopg.connect(stage.dsn) as connection:
        for table in ("weight_settings", "chain_weights"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)
        assert connection.execute("SELECT resource, owner FROM leases WHERE owner IS NOT NULL").fetchall() == []
    _, stubborn = psutil.wait_procs(processes(stage), timeout=30)
    assert stubborn == []


def check_fees(state: TournamentState, ports: Ports) -> None:
    """Whoever plays has paid the fee once, and nobody else has paid."""
    playing = [entry.hotkey for entry in state.entries if entry.status is EntryStatus.ACCEPTED]
    fees = [(entry.hotkey, -entry.amount_rao) for entry in ports.ledger.entries() if entry.kind is LedgerKind.FEE]
    rao = int(state.tournament.rules["fee_rao"])
    assert sorted(fees) == sorted((hotkey, rao) for hotkey in playing if rao)


def ends(work: Training | Evaluation) -> Ends:
    return [(attempt.ending, attempt.fault) for attempt in work.attempts]


def _id(work: Training | Evaluation) -> str:
    return work.training_id if isinstance(work, Training) else work.evaluation_id


def _usual_ends(work: Training | Evaluation) -> Ends:
    is_killed = isinstance(work, Training) and getattr(work.outcome, "reason", None) == KILLED_REASON
    return KILLED_TWICE if is_killed else ONE_GOOD_END


def _entry_points(ports: Ports, attempt: Attempt) -> int:
    """How often its script began, by its own words."""
    assert attempt.log is not None
    return ports.artifacts.get_bytes(attempt.log).count(b" begins\n")


def repeated(ports: Ports) -> list[tuple[Any, ...]]:
    """Events that tell one change twice."""
    told = Counter(
        (event["subject"], event["event"], *map(event["details"].get, TELLING)) for event in all_events(ports)
    )
    return [event for event, times in told.items() if times > 1]


def all_events(ports: Ports) -> Iterable[Mapping[str, Any]]:
    newest = 0
    while page := ports.events.since(newest):
        yield from page
        newest = page[-1]["event_id"]


def processes(stage: Stage) -> list[psutil.Process]:
    """Supervisors and sandboxes of the stage."""
    compute = str(stage.folder / "state/compute")
    found = psutil.process_iter(["cmdline"])
    return [process for process in found if any(compute in word for word in process.info["cmdline"] or ())]
