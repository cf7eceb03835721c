"""Challenges of every kind made ready, against the in-memory hub and store."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prefect import flow

from core.artifacts import ArtifactKind, ArtifactRef
from core.challenge import (
    ChallengeData,
    ChallengeKind,
    ChallengePlan,
    ChatDataset,
    DatasetInfo,
    DpoDataset,
    GrpoDataset,
)
from core.errors import PrerequisiteError
from core.ids import ChallengeId
from core.ports import Ports
from gateways.memory import MemoryArtifacts, MemoryHub, memory_ports
from gateways.wiring import use_ports
from tasks.challenges import prepare_data
from tests import builders
from tests.flows.play import ImageIsTree, train_or_evaluate
from tests.preparation.rows import dataset, sources

pytestmark = pytest.mark.prefect
CONFIG = {"max_position_embeddings": 512, "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}}
KINDS = [ChallengeKind.INSTRUCT, ChallengeKind.CHAT, ChallengeKind.DPO, ChallengeKind.GRPO]


@flow
def prepared(plan: ChallengePlan) -> ChallengeData:
    return prepare_data(plan, 20, Decimal("0.1"), 400)


@pytest.fixture
def ports(inline: Path) -> Ports:
    hub = MemoryHub()
    hub.add_model(builders.model(), {"config.json": json.dumps(CONFIG), "model.safetensors": "x"})
    for kind in KINDS:
        hub.add_dataset(dataset(kind, dataset_id=kind), sources(kind, 60))
    return memory_ports(ImageIsTree(train_or_evaluate, inline / "runs", slots=1), hub=hub)


def plan(kind: ChallengeKind, **changes: Any) -> ChallengePlan:
    fields = {"kind": kind, "dataset": dataset(kind, dataset_id=kind)} | changes
    return builders.challenge_plan(ChallengeId("text-1-r1-g1-c1"), **fields)


def rows_of(ports: Ports, ref: ArtifactRef) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(ports.artifacts.get_bytes(ref))
    return found


def config_of(ports: Ports, ref: ArtifactRef, into: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ports.artifacts.fetch(ref, into) / "config.json").read_bytes())
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_made_ready_with_all_rows_accounted_for(ports: Ports, kind: ChallengeKind) -> None:
    with use_ports(ports):
        data = prepared(plan(kind))
    train, test = rows_of(ports, data.train), rows_of(ports, data.test)
    assert (len(train), len(test)) == (data.train_rows, data.test_rows) == (54, 6)
    assert data.source_rows == {kind: 60} and data.dropped_rows == {}
    described = {
        ChallengeKind.CHAT: ChatDataset(),
        ChallengeKind.DPO: DpoDataset(),
    }
    if kind in described:
        assert data.dataset_type == described[kind]
    if kind is ChallengeKind.GRPO:
        assert isinstance(data.dataset_type, GrpoDataset) and data.dataset_type.extra_column == "extra_data"
        assert 1 <= len(data.dataset_type.reward_functions) <= 5
        assert ChallengeData.model_validate_json(data.model_dump_json()) == data


def test_what_was_dropped_is_told(ports: Ports) -> None:
    kind = ChallengeKind.DPO
    bad = dataset(kind, dataset_id="bad")
    ports.hub.add_dataset(bad, [{"question": "q", "good": "", "bad": "b"}, *sources(kind, 40)])  # type: ignore[attr-defined]
    with use_ports(ports):
        data = prepared(plan(kind, dataset=bad))
    assert data.dropped_rows == {"no chosen answer": 1}
    assert data.dropped_examples == {"no chosen answer": "bad, row 1"}


def test_a_dataset_of_two_rows_does_not_serve(ports: Ports) -> None:
    few = dataset(dataset_id="few", rows=2)
    ports.hub.add_dataset(few, sources(ChallengeKind.INSTRUCT, 2))  # type: ignore[attr-defined]
    with use_ports(ports), pytest.raises(ValueError, match="dataset few has 2 usable rows of 2; the rules ask for 20"):
        prepared(plan(ChallengeKind.INSTRUCT, dataset=few))


def test_a_mix_is_prepared_as_one(ports: Ports) -> None:
    first = dataset(dataset_id=ChallengeKind.INSTRUCT)
    more = dataset(dataset_id="more")
    ports.hub.add_dataset(more, sources(ChallengeKind.INSTRUCT, 30, start=100))  # type: ignore[attr-defined]
    both = DatasetInfo.model_validate(
        {**dataset().model_dump(), "dataset_id": "both", "columns": {}, "parts": [more, first]}
    )
    with use_ports(ports):
        data = prepared(plan(ChallengeKind.INSTRUCT, dataset=both))
    assert data.train_rows + data.test_rows == 60 and data.dropped_rows == {"more than half of the mix": 30}


def test_a_model_is_extended_where_the_plan_says_so(ports: Ports, tmp_path: Path) -> None:
    with use_ports(ports):
        data = prepared(plan(ChallengeKind.INSTRUCT, yarn_factor=4))
        plain = prepared(plan(ChallengeKind.DPO))
    config = config_of(ports, data.base_model, tmp_path / "a")
    assert config["max_position_embeddings"] == 2048 and config["rope_parameters"]["rope_type"] == "yarn"
    assert config_of(ports, plain.base_model, tmp_path / "b") == CONFIG


def test_nothing_is_stored_of_a_model_before_it_is_extended(ports: Ports) -> None:
    stored: list[int] = []

    class Watched(MemoryArtifacts):
        def put_tree(self, kind: ArtifactKind, root: Path) -> ArtifactRef:
            stored.append(json.loads((root / "config.json").read_bytes())["max_position_embeddings"])
            return super().put_tree(kind, root)

    with use_ports(replace(ports, artifacts=Watched())):
        prepared(plan(ChallengeKind.INSTRUCT, yarn_factor=4))
    assert stored == [2048]


def test_a_model_that_cannot_be_extended_does_not_serve(ports: Ports) -> None:
    other = builders.model("other")
    ports.hub.add_model(other, {"config.json": '{"max_position_embeddings": 512}'})  # type: ignore[attr-defined]
    with (
        use_ports(ports),
        pytest.raises(ValueError, match=r"cannot be extended 2 times: .* no rope_theta"),
    ):
        prepared(plan(ChallengeKind.INSTRUCT, model=other, yarn_factor=2))


class EchoWriter:
    """Answers with the row and another word; every third time with something else."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def write(self, system: str, user: str) -> str:
        row = json.loads(user)
        self.seen.append(row)
        row |= {"input": " ".join(f"{word}-again" for word in row["input"].split())}
        return "I cannot." if len(self.seen) % 3 == 0 else f"Here it is:\n```json\n{json.dumps(row)}\n```"


def test_synthetic_rows_come_to_train_and_are_counted(ports: Ports) -> None:
    writer = EchoWriter()
    with use_ports(replace(ports, writer=writer)):
        data = prepared(plan(ChallengeKind.INSTRUCT, synthetic_rows=9))
    test, train = rows_of(ports, data.test), rows_of(ports, data.train)
    assert (data.synthetic_rows, data.synthetic_refused) == (6, 3)
    assert len(train) == data.train_rows == 60 and sum("-again" in row["input"] for row in train) == 6
    assert sum(data.source_rows.values()) + data.synthetic_rows == data.train_rows + data.test_rows
    assert not any(row in writer.seen for row in test)


def test_synthetic_rows_without_a_writer_are_an_error(ports: Ports) -> None:
    with use_ports(ports), pytest.raises(PrerequisiteError, match="there is no writer: set GOD_WRITER__ENDPOINT"):
        prepared(plan(ChallengeKind.INSTRUCT, synthetic_rows=1))
