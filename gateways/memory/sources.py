"""Repositories and the model hub in memory."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.challenge import Catalogue, DatasetInfo, ModelInfo
from core.errors import PrerequisiteError, SubmissionError, TransientError
from core.value import canonical_json, sha256_hex


class MemoryRepositories:
    """`unreachable` holds repositories whose host does not answer."""

    def __init__(self) -> None:
        self.unreachable: set[str] = set()
        self._trees: dict[tuple[str, str], dict[str, str]] = {}

    def add(self, repository: str, files: Mapping[str, str]) -> str:
        """Commit these files (path → text) and return the commit, which follows from them."""
        commit = sha256_hex(canonical_json([repository, dict(files)]))[:40]
        self._trees[repository, commit] = dict(files)
        return commit

    def fetch(self, repository: str, commit: str, into: Path) -> None:
        if repository in self.unreachable:
            raise TransientError(f"the host of {repository} does not answer")
        tree = self._trees.get((repository, commit))
        if tree is None:
            raise SubmissionError(f"{repository} has no commit {commit}")
        _write(tree, into)


class MemoryHub:
    def __init__(self) -> None:
        self._models: dict[tuple[str, str], tuple[ModelInfo, dict[str, str]]] = {}
        self._datasets: dict[tuple[str, str], tuple[DatasetInfo, list[dict[str, Any]]]] = {}

    def add_model(self, model: ModelInfo, files: Mapping[str, str]) -> None:
        self._models[model.model_id, model.revision] = (model, dict(files))

    def add_dataset(self, dataset: DatasetInfo, rows: Sequence[Mapping[str, Any]]) -> None:
        self._datasets[dataset.dataset_id, dataset.revision] = (dataset, [dict(row) for row in rows])

    def catalogue(self) -> Catalogue:
        models = [model for _, (model, _) in sorted(self._models.items())]
        datasets = [dataset for _, (dataset, _) in sorted(self._datasets.items())]
        return Catalogue(models=tuple(models), datasets=tuple(datasets))

    def fetch_model(self, model: ModelInfo, into: Path) -> Path:
        if (model.model_id, model.revision) not in self._models:
            raise PrerequisiteError(f"the hub has no model {model.model_id} at {model.revision}; add it first")
        _write(self._models[model.model_id, model.revision][1], into)
        return into

    def rows(self, dataset_id: str, revision: str) -> list[dict[str, Any]]:
        if (dataset_id, revision) not in self._datasets:
            raise PrerequisiteError(f"the hub has no dataset {dataset_id} at {revision}; add it first")
        return [dict(row) for row in self._datasets[dataset_id, revision][1]]


def _write(files: Mapping[str, str], into: Path) -> None:
    for path, text in files.items():
        target = into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
