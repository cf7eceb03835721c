"""A challenge's rows read as measuring would read them, before anybody trains on them."""

from typing import Annotated

from pydantic import Field

from core.challenge import DatasetType
from core.evaluation import MOST_TOKENS
from core.value import Frozen


class ReadingSpec(Frozen):
    """`spec.json` of a reading job. Paths are inside the container."""

    base_model: str = "/job/inputs/base"
    test: str = "/job/inputs/test.json"
    """A JSON list of rows."""
    train: str = "/job/inputs/train.json"
    """A JSON list of rows."""
    outputs: str = "/job/outputs"
    dataset_type: DatasetType
    max_tokens: Annotated[int, Field(gt=0)] = MOST_TOKENS


class ReadingReport(Frozen):
    """`report.json` of a reading job."""

    problem: str | None = None
    """Why these rows cannot be measured on that base, with the row that shows it and what to do."""
