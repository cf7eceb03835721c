"""Flow runs of our own, started where their work pool says, and seen through to a recorded outcome.

A flow run that ends, or falls silent, before its row has an outcome is followed by another: the row decides, and a
lease keeps two of them from working at once. `GOD_DISPATCH__MODE=inline` runs them within the asking flow instead.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from httpx import HTTPError
from prefect import Flow, get_client, task
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.states import Crashed

from core.errors import Fault, PrerequisiteError, StaleStateError, UnreachableError
from core.evaluation import Evaluation
from core.ids import EvaluationId, TrainingId
from core.training import Training, WorkStatus
from gateways.wiring import ports, settings
from tasks.leases import is_alive
from tasks.retrying import EFFECT

ROW_POLL_SECONDS = 0.3
RUN_POLL_SECONDS = 3.0
SILENT_SECONDS = 90.0
"""A flow run that has begun and still holds no live lease after this long is given up."""
DISPATCHES = 25
"""Flow runs that may end without an outcome before our side is said to be broken."""

PLATFORM_FAULT = f"{Fault.PLATFORM.title()}Fault"
"""Name of the last state of a flow run that recorded our failure; it has failed, and its row has an outcome."""

AnyFlow = Flow[..., Any]


class Work(NamedTuple):
    """A row that some flow run has to bring to an outcome."""

    subject: str
    flow: AnyFlow
    parameters: dict[str, Any]
    is_done: Callable[[], bool]
    next_key: Callable[[], str]
    """Of another flow run for it. Raises DispatchExhaustedError."""
    queue: str = "tournament"


class DispatchExhaustedError(StaleStateError):
    """Flow runs for one row keep ending without an outcome."""


def training_work(training_id: TrainingId, flow: AnyFlow) -> Work:
    store = ports().trainings
    return _counted(training_id, flow, lambda: store.load(training_id), lambda: store.dispatched(training_id))


def evaluation_work(evaluation_id: EvaluationId, flow: AnyFlow, queue: str = "tournament") -> Work:
    store = ports().evaluations
    work = _counted(evaluation_id, flow, lambda: store.load(evaluation_id), lambda: store.dispatched(evaluation_id))
    return work._replace(queue=queue)


def _counted(
    subject: str, flow: AnyFlow, load: Callable[[], Training | Evaluation], dispatched: Callable[[], int]
) -> Work:
    """Of a row that counts its flow runs."""

    def next_key() -> str:
        count = bounded(subject, dispatched())
        return f"{subject}/{count}/{load().dispatched_at:%Y%m%dT%H%M%S.%f}"

    return Work(subject, flow, {_parameter(flow): subject}, lambda: load().status is WorkStatus.DONE, next_key)


def bounded(subject: str, dispatches: int) -> int:
    if dispatches > DISPATCHES:
        raise DispatchExhaustedError(f"{subject}: {DISPATCHES} flow runs ended without an outcome")
    return dispatches


@task(task_run_name="see-through-{work.subject}", **EFFECT)
def see_through(work: Work) -> None:
    """Return when the row has its outcome. Raises DispatchExhaustedError when no flow run brings it about."""
    while not work.is_done():
        if is_alive(work.subject):
            time.sleep(ROW_POLL_SECONDS)
        elif settings().dispatch.mode == "inline":
            _run_here(work)
        else:
            _await_outcome(work, start(work.flow.name, work.parameters, work.next_key(), work.queue))


def _run_here(work: Work) -> None:
    state: Any = work.flow(**work.parameters, return_state=True)
    if (state.is_failed() or state.is_crashed()) and state.name != PLATFORM_FAULT:
        state.result()


def _parameter(flow: AnyFlow) -> str:
    """Name of the flow's one parameter."""
    return next(iter(flow.parameters.properties))


def start(flow: str, parameters: dict[str, Any], key: str, queue: str | None = None) -> UUID:
    """Start a deployment's flow run, or join the one that was started under the same key."""
    try:
        run = run_deployment(
            f"{flow}/default",
            parameters=parameters,
            flow_run_name=f"{flow}-{key}",
            idempotency_key=key,
            timeout=0,
            work_queue_name=queue,
            tags=[value for value in parameters.values() if isinstance(value, str)],
        )
    except ObjectNotFound as error:
        raise PrerequisiteError(f"Prefect has no deployment {flow}/default; `god up` deploys it") from error
    except HTTPError as error:
        raise UnreachableError(f"the Prefect server did not take {flow} ({key}): {error}") from error
    return run.id  # type: ignore[union-attr]


def _await_outcome(work: Work, run_id: UUID) -> None:
    """Wait for the row; return early when the flow run is over, or silent, and nobody else works for the row."""
    begun: float | None = None
    next_look = time.monotonic() + RUN_POLL_SECONDS
    while not work.is_done():
        time.sleep(ROW_POLL_SECONDS)
        if time.monotonic() < next_look:
            continue
        next_look = time.monotonic() + RUN_POLL_SECONDS
        state = _flow_run(run_id).state
        if state is not None and not state.is_scheduled():
            begun = begun or time.monotonic()
        is_over = state is None or state.is_final() or time.monotonic() - (begun or time.monotonic()) > SILENT_SECONDS
        if is_over and not is_alive(work.subject):
            cancel(run_id)
            return


def _flow_run(run_id: UUID) -> FlowRun:
    try:
        with get_client(sync_client=True) as client:
            return client.read_flow_run(run_id)
    except (HTTPError, PrefectException) as error:
        raise UnreachableError(f"the Prefect server does not answer about flow run {run_id}: {error}") from error


def cancel(run_id: UUID) -> None:
    """Mark a silent flow run; one that has ended stays as it ended."""
    state = _flow_run(run_id).state
    if state is None or state.is_final():
        return
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run_id, Crashed(message="fell silent without an outcome"), force=True)


@task(task_run_name="start-{key}", **EFFECT)
def start_flow(flow: AnyFlow, parameters: dict[str, Any], key: str) -> None:
    """Start a flow of its own and do not wait for it (inline: run it here)."""
    if settings().dispatch.mode == "inline":
        flow(**parameters)
    else:
        start(flow.name, parameters, key)
