"""Work pools, queues, limits and deployments on a Prefect server, from the files in `deployments/`."""

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron, Interval, Schedule
from prefect.variables import Variable

from embedded.deployed import DIGEST
from embedded.programs import POOLS
from embedded.state import REPOSITORY

FOLDER = REPOSITORY / "deployments"
ALWAYS_SCHEDULED = "flows.sweep.sweep"
"""The one schedule that runs without being asked for: without it nothing lost is found."""
CONTROL_RUNS = 12
"""Flow runs of the control pool at a time; they mostly wait."""


def deploy(slots: int, schedules: bool, digest: str) -> None:
    """Bring the server to what the files say, and leave their digest there.

    Args:
        slots: Trainings and evaluations that this machine can run at a time.
        schedules: Switch every schedule on; otherwise only the sweep's.
    """
    with get_client(sync_client=True) as client:
        limits = {"control": CONTROL_RUNS, "gpu-jobs": slots + 1}
        for pool in POOLS:
            _make_pool(client, pool, limits[pool])
        _make_queues(client)
        for name, limit in _yaml(FOLDER / "limits.yaml").items():
            client.upsert_global_concurrency_limit_by_name(name, limit)
    for entry in _yaml(FOLDER / "prefect.yaml")["deployments"]:
        _deploy(entry, schedules)
    Variable.set(DIGEST, digest, overwrite=True)


def _make_pool(client: SyncPrefectClient, name: str, limit: int) -> None:
    template = json.loads((FOLDER / "work_pools" / f"{name}.json").read_text())
    variables = template["variables"]["properties"]
    variables["working_dir"]["default"] = str(REPOSITORY)
    variables["command"]["default"] = _logged(variables["command"]["default"])
    pool = WorkPoolCreate(name=name, type="process", base_job_template=template, concurrency_limit=limit)
    client.create_work_pool(pool, overwrite=True)


def _logged(command: str) -> str:
    """The same process, writing to a file of its machine: it must be able to write when its worker is dead."""
    return shlex.join(["sh", "-c", f'exec {command} >>"$GOD_STATE/logs/flow-runs.log" 2>&1'])


def _make_queues(client: SyncPrefectClient) -> None:
    for pool, queues in _yaml(FOLDER / "work_pools" / "queues.yaml").items():
        known = {queue.name: queue for queue in client.read_work_queues(work_pool_name=pool)}
        for name, priority in queues.items():
            if name in known:
                client.update_work_queue(known[name].id, priority=priority)
            else:
                client.create_work_queue(name, priority=priority, work_pool_name=pool)


def _deploy(entry: Mapping[str, Any], schedules: bool) -> None:
    entrypoint = entry["entrypoint"]
    limit = entry.get("concurrency_limit")
    pool = entry["work_pool"]
    RunnerDeployment.from_entrypoint(
        entrypoint,
        name=entry["name"],
        description=entry.get("description"),
        tags=entry.get("tags"),
        parameters=entry.get("parameters"),
        schedules=list(_schedules(entry, active=schedules or entrypoint == ALWAYS_SCHEDULED)),
        concurrency_limit=_limit(limit) if limit else None,
        work_pool_name=pool["name"],
        work_queue_name=pool.get("work_queue_name"),
    ).apply()


def _schedules(entry: Mapping[str, Any], active: bool) -> Iterator[Schedule]:
    for given in entry.get("schedules", ()):
        if "cron" in given:
            yield Cron(given["cron"], timezone=given.get("timezone"), active=active)
        else:
            yield Interval(given["interval"], active=active)


def _limit(given: Mapping[str, Any]) -> ConcurrencyLimitConfig:
    strategy = ConcurrencyLimitStrategy(given["collision_strategy"])
    return ConcurrencyLimitConfig(limit=given["limit"], collision_strategy=strategy)


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text())
