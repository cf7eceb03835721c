"""Challenges: from the hub's model and dataset to content-addressed artifacts, the same for everybody."""

import tempfile
from decimal import Decimal
from pathlib import Path

from prefect import task

from core.artifacts import ArtifactKind
from core.challenge import Catalogue, ChallengeData, ChallengePlan
from core.ids import ChallengeId
from core.preparation import clean_rows, split
from core.value import canonical_json
from gateways.wiring import ports
from tasks.artifacts import staging
from tasks.retrying import EFFECT


@task(**EFFECT)
def catalogue() -> Catalogue:
    return ports().hub.catalogue()


@task(task_run_name="prepare-{plan.challenge_id}", **EFFECT)
def prepare_data(plan: ChallengePlan, minimum_rows: int, test_share: Decimal, test_most: int) -> ChallengeData:
    """Clean, split by the challenge's seed, and store. Raises ValueError when the dataset does not serve."""
    source = ports().hub.rows(plan.dataset.dataset_id, plan.dataset.revision)
    rows, dropped = clean_rows(source, plan.dataset)
    if len(rows) < minimum_rows:
        raise ValueError(
            f"dataset {plan.dataset.dataset_id} has {len(rows)} usable rows of {len(source)}; "
            f"the rules ask for {minimum_rows}"
        )
    train, test = split(rows, plan.seed, min(int(len(rows) * test_share), test_most))
    store = ports().artifacts
    with tempfile.TemporaryDirectory(dir=staging()) as folder:
        base = store.put_tree(ArtifactKind.MODEL, ports().hub.fetch_model(plan.model, Path(folder) / "model"))
    return ChallengeData(
        base_model=base,
        train=store.put_bytes(ArtifactKind.DATASET, canonical_json(train)),
        test=store.put_bytes(ArtifactKind.DATASET, canonical_json(test)),
        train_rows=len(train),
        test_rows=len(test),
        dropped_rows=dropped,
    )


@task(task_run_name="ready-{challenge_id}", **EFFECT)
def record_ready(challenge_id: ChallengeId, data: ChallengeData) -> None:
    ports().tournaments.challenge_ready(challenge_id, data)


@task(task_run_name="failed-{challenge_id}", **EFFECT)
def record_failed(challenge_id: ChallengeId, reason: str) -> None:
    ports().tournaments.challenge_failed(challenge_id, reason)
