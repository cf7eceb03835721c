"""One contestant's way through one challenge: training, then the evaluation of what it left."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from core.ids import TrainingId, evaluation_id
from core.training import Trained
from gateways.wiring import ports
from tasks.dispatch import AnyFlow, evaluation_work, see_through, training_work


@task(task_run_name="carry-{training_id}", cache_policy=NO_CACHE)
def carry(training_id: TrainingId, train: AnyFlow, evaluate: AnyFlow) -> None:
    """See a training through, and then its evaluation; each waits for nobody else's."""
    see_through(training_work(training_id, train))
    if isinstance(ports().trainings.load(training_id).outcome, Trained):
        see_through(evaluation_work(evaluation_id(training_id, 1), evaluate))
