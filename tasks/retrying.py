"""The one retry rule: what is transient is tried again, nothing else."""

from typing import Any

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import exponential_backoff

from core.errors import TransientError


def is_transient(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    try:
        state.result()
    except TransientError:
        return True
    except Exception:
        return False
    return False


EFFECT: dict[str, Any] = {
    "cache_policy": NO_CACHE,
    "retries": 6,
    "retry_delay_seconds": exponential_backoff(1),
    "retry_jitter_factor": 0.3,
    "retry_condition_fn": is_transient,
}
"""Options of every task with an effect: about a minute of patience with a system of ours that is away."""
