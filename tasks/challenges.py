"""Challenges: from the hub's model and datasets to content-addressed artifacts, the same for everybody."""

import json
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from prefect import task

from core.artifacts import ArtifactKind, ArtifactRef
from core.challenge import Catalogue, ChallengeData, ChallengeKind, ChallengePlan, DatasetType, RewardFunction
from core.errors import PrerequisiteError
from core.ids import ChallengeId
from core.rewards.library import generic
from core.value import canonical_json
from gateways.wiring import ports
from preparation.cleaning import Row
from preparation.columns import standard_type
from preparation.prepare import Bounds, Prepared, parts_of, prepare
from preparation.rewards import draw_reward_functions
from preparation.synthetic import accepted, fresh, question
from preparation.yarn import extended_config
from tasks.artifacts import staging
from tasks.retrying import EFFECT


@task(**EFFECT)
def catalogue() -> Catalogue:
    return ports().hub.catalogue()


@task(task_run_name="prepare-{plan.challenge_id}", **EFFECT)
def prepare_data(plan: ChallengePlan, minimum_rows: int, test_share: Decimal, test_most: int) -> ChallengeData:
    """Clean, mix, split by the challenge's seed, and store.

    Raises ValueError, PrerequisiteError or IntegrityError when the model or the dataset does not serve.
    """
    dataset_type = standard_type(plan.dataset, _reward_functions(plan))
    sources = [ports().hub.rows(part.dataset_id, part.revision) for part in parts_of(plan.dataset)]
    rows = prepare(plan.dataset, sources, plan.seed, Bounds(minimum_rows, test_share, test_most))
    written = _written(plan, rows, dataset_type)
    store = ports().artifacts
    return ChallengeData(
        base_model=_store_model(plan),
        train=store.put_bytes(ArtifactKind.DATASET, canonical_json(rows.train + written.rows)),
        test=store.put_bytes(ArtifactKind.DATASET, canonical_json(rows.test)),
        train_rows=len(rows.train) + len(written.rows),
        test_rows=len(rows.test),
        source_rows=rows.source_rows,
        dropped_rows=dict(rows.tally.rows),
        dropped_examples=rows.tally.examples,
        dropped_messages=rows.tally.messages,
        synthetic_rows=len(written.rows),
        synthetic_refused=written.refused,
        dataset_type=dataset_type,
    )


def _reward_functions(plan: ChallengePlan) -> Sequence[RewardFunction]:
    return draw_reward_functions(generic(), plan.seed) if plan.kind is ChallengeKind.GRPO else ()


class Written(NamedTuple):
    rows: list[Row]
    refused: int


def _written(plan: ChallengePlan, rows: Prepared, dataset_type: DatasetType) -> Written:
    """Rows that a language model writes after the first rows of train; none where the plan asks for none."""
    asked = rows.train[: plan.synthetic_rows]
    if asked and ports().writer is None:
        raise PrerequisiteError("the plan asks for synthetic rows, but there is no writer: set GOD_WRITER__ENDPOINT")
    answers = [rewrite(row) for row in asked]
    made = [accepted(text, row, plan.dataset.kind, dataset_type) for text, row in zip(answers, asked, strict=True)]
    kept = fresh([row for row in made if row is not None], rows.train, rows.test)
    return Written(kept, len(asked) - len(kept))


@task(**EFFECT)
def rewrite(row: Row) -> str:
    writer = ports().writer
    return writer.write(*question(row)) if writer else ""


def _store_model(plan: ChallengePlan) -> ArtifactRef:
    """The base model as it is trained on. A model to be extended is in the store with its context extended only."""
    with tempfile.TemporaryDirectory(dir=staging()) as folder:
        model = ports().hub.fetch_model(plan.model, Path(folder) / "model")
        if plan.yarn_factor is not None:
            _extend(model / "config.json", plan.yarn_factor)
        return ports().artifacts.put_tree(ArtifactKind.MODEL, model)


def _extend(path: Path, factor: int) -> None:
    try:
        config = extended_config(json.loads(path.read_bytes()), factor)
    except ValueError as e:
        raise ValueError(f"the base model cannot be extended {factor} times: {e}") from e
    path.write_text(json.dumps(config, indent=2, sort_keys=True))


@task(task_run_name="ready-{challenge_id}", **EFFECT)
def record_ready(challenge_id: ChallengeId, data: ChallengeData) -> None:
    ports().tournaments.challenge_ready(challenge_id, data)


@task(task_run_name="failed-{challenge_id}", **EFFECT)
def record_failed(challenge_id: ChallengeId, reason: str) -> None:
    ports().tournaments.challenge_failed(challenge_id, reason)
