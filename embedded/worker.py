"""A Prefect process worker that cleans up after its predecessor: `python -m embedded.worker <pool>`.

Killed with SIGKILL, a worker leaves its flow runs running, and they go on to their end. One that is killed as well
has nobody left to say so: it would stay Running for ever and hold a place of the pool. The next worker on this
machine, where the embedded server sends all flow runs, looks for their processes.
"""

import asyncio
import logging
import os
import socket
import sys
from datetime import UTC, datetime, timedelta

import anyio
import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, WorkPoolFilter
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings
from prefect.states import Crashed
from prefect.workers.process import ProcessWorker

from embedded.addresses import PREFECT_API, Server, recorded
from embedded.health import http_answers
from embedded.processes import flow_runs
from embedded.state import State, this_state

LOOK_SECONDS = 5.0
START_GRACE = timedelta(seconds=30)
"""From a flow run's submission until its process must be there."""

log = logging.getLogger(__name__)


async def main(pool: str) -> None:
    await _wait_until_deployed(pool)
    settings = get_current_settings().worker
    worker = ProcessWorker(
        work_pool_name=pool,
        name=f"{pool}@{socket.gethostname()}",
        prefetch_seconds=settings.prefetch_seconds,
        heartbeat_interval_seconds=int(settings.heartbeat_seconds),
        create_pool_if_not_found=False,
    )
    async with anyio.create_task_group() as group:
        if _is_embedded(this_state()):
            await end_lost_runs(pool, grace=timedelta(0))
            group.start_soon(_keep_ending_lost_runs, pool)
        await worker.start()
        group.cancel_scope.cancel()


async def _wait_until_deployed(pool: str) -> None:
    """Be imported and ready while the server is still starting."""
    while not await asyncio.to_thread(http_answers, f"{os.environ[PREFECT_API]}/health"):
        await asyncio.sleep(0.2)
    async with get_client() as client:
        while True:
            try:
                await client.read_work_pool(pool)
                return
            except ObjectNotFound:
                await asyncio.sleep(0.2)


def _is_embedded(state: State) -> bool:
    addresses = recorded(state)
    return addresses is not None and Server.PREFECT in addresses.embedded


async def _keep_ending_lost_runs(pool: str) -> None:
    """Look again and again; a server that is just being restarted is asked later."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            await end_lost_runs(pool, START_GRACE)
        except httpx.HTTPError as error:
            log.warning("cannot look for lost flow runs: %s", error)


async def end_lost_runs(pool: str, grace: timedelta) -> list[str]:
    """Crash every run that is pending or running for longer than `grace` and has no process; return their names."""
    unfinished = FlowRunFilter.model_validate({"state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}})
    pools = WorkPoolFilter.model_validate({"name": {"any_": [pool]}})
    async with get_client() as client:
        candidates = await client.read_flow_runs(flow_run_filter=unfinished, work_pool_filter=pools)
        alive = await asyncio.to_thread(flow_runs) if candidates else set()
        lost = [run for run in candidates if str(run.id) not in alive and _age(run) > grace]
        for run in lost:
            await client.set_flow_run_state(run.id, Crashed(message="Its process is gone."), force=True)
    return [run.name for run in lost]


def _age(run: FlowRun) -> timedelta:
    return datetime.now(UTC) - run.state.timestamp if run.state else timedelta(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
