"""What people see in the Prefect UI: tables, notes and events. They tell; the rows decide."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from httpx import HTTPError
from prefect import get_client, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.exceptions import PrefectException
from prefect.logging import get_logger

from core.artifacts import ArtifactRef
from core.errors import Fault
from core.evaluation import Evaluation, Scored
from core.ids import Hotkey
from core.tournament import Entry, Round, RoundResult, TitleResult, TournamentState
from tasks.retrying import EFFECT

CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
LOG_LINES = 40


def key_of(*parts: str) -> str:
    """An artifact key: lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")


def scrubbed(text: str) -> str:
    """A miner's text without terminal escapes and control characters."""
    return CONTROL.sub("", text)


def tell_log(name: str, pieces: Sequence[ArtifactRef], newest: bytes) -> None:
    """The end of a run's log, and where all of its pieces lie. A UI that is away does not stop the run."""
    lines = scrubbed(newest.decode("utf-8", "replace")).splitlines()[-LOG_LINES:]
    keys = "\n".join(f"- `{piece.key}`" for piece in pieces)
    shown = "\n".join(f"    {line}" for line in lines)
    try:
        create_markdown_artifact(f"{shown}\n\n{keys}", key=key_of("log", name), description=f"Log of {name}")
    except (HTTPError, PrefectException) as error:
        get_logger("god.telling").warning("the log of %s is stored but not shown: %s", name, error)


@task(task_run_name="fault-{fault}", **EFFECT)
def tell_fault(fault: Fault) -> None:
    """Tag this flow run `fault:<whose>`, so that a filter in the UI finds it. A UI that is away does not stop it."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    run = context.flow_run
    try:
        with get_client(sync_client=True) as client:
            client.update_flow_run(run.id, tags=[*run.tags, f"fault:{fault}"])
    except (HTTPError, PrefectException) as error:
        get_logger("god.telling").warning("flow run %s is not tagged with the %s's fault: %s", run.id, fault, error)


@task(**EFFECT)
def tell_entries(tournament_id: str, entries: Sequence[Entry]) -> None:
    shown = {"hotkey", "repository", "commit", "status", "reason", "fault"}
    rows = [entry.model_dump(mode="json", include=shown) for entry in entries]
    create_table_artifact(rows, key=key_of("entries", tournament_id), description=f"Entries of {tournament_id}")


@task(**EFFECT)
def tell_bracket(state: TournamentState) -> None:
    """Every round so far: who met whom, and who went through."""
    tournament_id = state.tournament.tournament_id
    create_markdown_artifact(
        bracket(state), key=key_of("bracket", tournament_id), description=f"Bracket of {tournament_id}"
    )


def bracket(state: TournamentState) -> str:
    lines = [f"# {state.tournament.tournament_id}"]
    for round_ in state.rounds:
        lines += _bracket_round(round_, state)
    return "\n".join(lines)


def _bracket_round(round_: Round, state: TournamentState) -> list[str]:
    through = {s.contestant for r in state.results if r.number == round_.plan.number for s in r.standings if s.advances}
    lines = [f"## Round {round_.plan.number}: {round_.plan.type}"]
    for group in round_.plan.groups:
        members = [f"**{member}**" if member in through else member for member in group.members]
        lines.append(f"{group.position}. " + (" – ".join(members) if len(members) > 1 else f"{members[0]} (bye)"))
    return lines


@task(**EFFECT)
def tell_standings(result: RoundResult) -> None:
    rows: list[dict[str, Any]] = [
        {
            "group": s.group_id,
            "rank": s.rank,
            "contestant": s.contestant,
            "value": "" if s.value is None else repr(s.value),
            "goes through": "yes" if s.advances else "",
            "reason": s.reason or "",
            "fault": s.fault or "",
        }
        for s in result.standings
    ]
    create_table_artifact(rows, key=key_of("standings", result.round_id), description=f"Standings of {result.round_id}")
    tell_event("god.round.closed", f"god.round.{result.round_id}")


@task(**EFFECT)
def tell_title(tournament_id: str, title: TitleResult) -> None:
    rows: list[dict[str, Any]] = [challenge.model_dump(mode="json") for challenge in title.challenges]
    verdict = f"{title.winner} holds the title ({title.why}; margin {title.threshold})"
    create_table_artifact(rows, key=key_of("title-match", tournament_id), description=verdict)
    tell_event("god.tournament.finished", f"god.tournament.{tournament_id}")


@task(**EFFECT)
def tell_weights(setting_id: str, weights: dict[Hotkey, str], evidence: ArtifactRef) -> None:
    rows = [{"hotkey": hotkey, "weight": weight} for hotkey, weight in sorted(weights.items())]
    create_table_artifact(rows, key=key_of(setting_id), description=f"Weights from evidence {evidence.key}")


@task(**EFFECT)
def tell_difference(old: Evaluation | None, new: Evaluation, is_equal: bool) -> None:
    rows = [_difference_row("old", old)] if old else []
    rows.append(_difference_row("new", new))
    verdict = "nothing to compare with" if old is None else "equal to the last bit" if is_equal else "they differ"
    create_table_artifact(
        rows, key=key_of("re-evaluation", new.evaluation_id), description=f"{new.evaluation_id}: {verdict}"
    )


def _difference_row(name: str, evaluation: Evaluation) -> dict[str, Any]:
    outcome = evaluation.outcome
    value = repr(outcome.value) if isinstance(outcome, Scored) else ""
    reason = "" if outcome is None or isinstance(outcome, Scored) else outcome.reason
    report = evaluation.report.key if evaluation.report else ""
    return {"": name, "evaluation": evaluation.evaluation_id, "value": value, "refused": reason, "report": report}


def tell_event(event: str, resource: str, at: datetime | None = None) -> None:
    """A past-tense fact about one of our things; correctness never rests on it."""
    emit_event(event=event, resource={"prefect.resource.id": resource}, occurred=at)
