"""Base models and datasets of Hugging Face, or of a hub that speaks like it: data at a commit, never code.

Which of them may be drawn is the keeper's word, in `<GOD_HUB__FOLDER>/catalogue.json`:

    {"models":   [{"model_id": "owner/name", "revision": "<commit>"}],
     "datasets": [{"dataset_id": "owner/name", "revision": "<commit>", "kind": "DpoTask", "columns": {"prompt": …}}]}

A dataset's rows are all its splits, of its first configuration: of the files that its card names, else of all that are
Parquet, else JSON lines, else JSON, else CSV, in the order of their names. A loading script is never run, not even
fetched. A file is what the hub's listing at that commit promises by hash, or it is refused.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from core.challenge import Catalogue, DatasetInfo, ModelInfo
from core.errors import IntegrityError, PrerequisiteError, UnreachableError
from core.value import CommitSha, Frozen
from gateways.cards import faults, mixed, parse_card
from gateways.model_files import CONFIG, INDEX, count_parameters, is_model_file
from gateways.repository_files import FORMATS, check_path, data_files, declared_patterns, is_as_listed, shards
from gateways.row_files import Rows, read_rows
from gateways.settings import HubSettings

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoSibling

CATALOGUE = "catalogue.json"
_LOCAL = {"localhost", "127.0.0.1", "::1"}


class ListedModel(Frozen):
    model_id: str
    revision: CommitSha


class Listed(Frozen):
    """What may be drawn."""

    models: tuple[ListedModel, ...] = ()
    datasets: tuple[dict[str, Any], ...] = ()
    """Each a `gateways.cards.DatasetCard` with `dataset_id`, and with `revision` unless it is a mix."""


class HuggingFaceHub:
    """Keeps `core.ports.ModelHub`. What is at a commit does not change: it is asked for once.

    Args:
        cache: folder of the files that were fetched.
    """

    def __init__(self, settings: HubSettings, cache: Path) -> None:
        self._settings = settings
        self._cache = cache
        self._known: dict[tuple[str, str], int] = {}
        """Parameters of models and rows of datasets, by id and commit."""

    def catalogue(self) -> Catalogue:
        """Raises PrerequisiteError naming the first entry of the list that cannot be used, and why."""
        listed = self._listed()
        datasets: list[DatasetInfo] = []
        for entry in sorted(listed.datasets, key=lambda entry: bool(entry.get("mix"))):
            datasets.append(self._dataset(entry, datasets))
        models = [self._model(model.model_id, model.revision) for model in listed.models]
        return Catalogue(
            models=tuple(sorted(models, key=lambda model: model.model_id)),
            datasets=tuple(sorted(datasets, key=lambda dataset: dataset.dataset_id)),
        )

    def fetch_model(self, model: ModelInfo, into: Path) -> Path:
        """Copy the model's data files to the absent or empty folder `into`, and return it.

        Raises IntegrityError when the weights are not of the size that the catalogue said.
        """
        files = self._files("model", model.model_id, model.revision)
        for file in self._model_files(model.model_id, model.revision, files):
            target = into / file.rfilename
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._fetch("model", model.model_id, model.revision, file), target)
        found = count_parameters(into)
        if found != model.parameters:
            raise IntegrityError(
                f"{model.model_id} at {model.revision} has {found:,} parameters, not the {model.parameters:,} that it "
                "was drawn for: its headers lie; take it out of the catalogue"
            )
        return into

    def rows(self, dataset_id: str, revision: str) -> list[dict[str, Any]]:
        """Raises PrerequisiteError naming file, line and remedy for what is no rows."""
        what = f"{dataset_id} at {revision}"
        listed = self._files("dataset", dataset_id, revision)
        names = data_files([file.rfilename for file in listed], self._patterns(dataset_id, revision))
        if not names:
            raise PrerequisiteError(
                f"{what} has no {', '.join(FORMATS)} file, and no script is ever run: take a revision that "
                "has, such as the commit of its branch refs/convert/parquet"
            )
        files = [file for file in listed if file.rfilename in names]
        self._check_size(what, files)
        rows: Rows = []
        for file in files:
            path = self._fetch("dataset", dataset_id, revision, file)
            rows += read_rows(path, f"{dataset_id}/{file.rfilename}")
        return rows

    # Entries of the catalogue

    def _listed(self) -> Listed:
        path = self._settings.folder / CATALOGUE
        if not path.is_file():
            raise PrerequisiteError(
                f"there is no {path}: write which models and datasets may be drawn, or set GOD_HUB__FOLDER"
            )
        try:
            return Listed.model_validate_json(path.read_bytes())
        except ValidationError as e:
            raise PrerequisiteError(f"{path}: {faults(e)}; correct it") from e

    def _model(self, model_id: str, revision: str) -> ModelInfo:
        if (model_id, revision) not in self._known:
            self._known[model_id, revision] = self._count_parameters(model_id, revision)
        return ModelInfo(model_id=model_id, revision=revision, parameters=self._known[model_id, revision])

    def _count_parameters(self, model_id: str, revision: str) -> int:
        """By the headers alone, before any weight is fetched; `fetch_model` checks them."""
        files = self._files("model", model_id, revision)
        tensors: dict[str, int] = {}
        for file in self._model_files(model_id, revision, files):
            if file.rfilename.endswith(".safetensors"):
                with _answering(f"{model_id} at {revision}"):
                    header = self._api().parse_safetensors_file_metadata(model_id, file.rfilename, revision=revision)
                tensors |= {name: tensor.parameter_count for name, tensor in header.tensors.items()}
        return sum(tensors.values())

    def _dataset(self, entry: dict[str, Any], datasets: Sequence[DatasetInfo]) -> DatasetInfo:
        name = f"{self._settings.folder / CATALOGUE}, {entry.get('dataset_id')}"
        card, described = parse_card(name, entry)
        if card.dataset_id is None or (card.revision is None and not card.mix):
            raise PrerequisiteError(f"{name}: it needs dataset_id and revision; correct it")
        if card.mix:
            return mixed(name, card.dataset_id, card, described, datasets)
        rows = card.rows or self._count_rows(card.dataset_id, str(card.revision))
        return DatasetInfo.model_validate(card.model_dump(exclude={"mix"}) | {"dataset_type": described, "rows": rows})

    def _count_rows(self, dataset_id: str, revision: str) -> int:
        if (dataset_id, revision) not in self._known:
            self._known[dataset_id, revision] = len(self.rows(dataset_id, revision))
        return self._known[dataset_id, revision]

    # Files of a repository

    def _model_files(self, model_id: str, revision: str, files: Sequence["RepoSibling"]) -> list["RepoSibling"]:
        """Config, tokenizer and weights, none in a folder; of several sets of weights the one of transformers."""
        mine = [file for file in files if "/" not in file.rfilename and is_model_file(file.rfilename)]
        names = {file.rfilename: file for file in mine}
        weights = {name for name in names if name.endswith(".safetensors")}
        if INDEX in names:
            index = self._fetch("model", model_id, revision, names[INDEX])
            named = set(shards(index, model_id))
            if missing := sorted(named - weights):
                raise PrerequisiteError(f"{model_id} at {revision} lacks its shard {missing[0]}: take another revision")
            weights &= named
        elif "model.safetensors" in weights:
            weights = {"model.safetensors"}
        if not weights or CONFIG not in names:
            raise PrerequisiteError(f"{model_id} at {revision} has no {CONFIG} with *.safetensors: take another model")
        return [file for name, file in names.items() if name in weights or not name.endswith(".safetensors")]

    def _files(self, kind: str, id_: str, revision: str) -> list["RepoSibling"]:
        """All files at the commit, sorted. Raises IntegrityError for a revision that is not one."""
        info = self._info(kind, id_, revision)
        if info.sha != revision or len(revision) != 40:
            raise IntegrityError(f"{id_} at {revision}: the hub answers with commit {info.sha}; name a full commit")
        for file in info.siblings or []:
            check_path(id_, file.rfilename)
        return sorted(info.siblings or [], key=lambda file: str(file.rfilename))

    def _patterns(self, dataset_id: str, revision: str) -> list[str]:
        """Of the files of its first configuration, where the card names any."""
        card = self._info("dataset", dataset_id, revision).card_data
        configs = (card.to_dict() if card else {}).get("configs")
        return declared_patterns(configs)

    def _info(self, kind: str, id_: str, revision: str) -> Any:
        with _answering(f"{id_} at {revision}"):
            return self._api().repo_info(id_, repo_type=kind, revision=revision, files_metadata=True)

    def _fetch(self, kind: str, id_: str, revision: str, file: "RepoSibling") -> Path:
        with _answering(f"{id_}/{file.rfilename} at {revision}"):
            path = Path(
                self._api().hf_hub_download(
                    id_, file.rfilename, repo_type=kind, revision=revision, cache_dir=self._cache
                )
            )
        if not is_as_listed(path, file):
            path.resolve().unlink()
            raise IntegrityError(
                f"{id_}/{file.rfilename} at {revision} is not the file that the hub lists: fetch it anew"
            )
        return path

    def _check_size(self, what: str, files: Sequence["RepoSibling"]) -> None:
        size, limit = sum(file.size or 0 for file in files), self._settings.dataset_mib << 20
        if size > limit:
            raise PrerequisiteError(
                f"{what} has {size >> 20} MiB of rows, more than {limit >> 20} (GOD_HUB__DATASET_MIB): take another"
            )

    def _api(self) -> "HfApi":
        from huggingface_hub import HfApi

        api = HfApi(endpoint=self._settings.endpoint or None, token=self._settings.token.get_secret_value() or None)
        parts = urlsplit(api.endpoint)
        if parts.scheme != "https" and parts.hostname not in _LOCAL:
            raise PrerequisiteError(f"the hub {api.endpoint} is not encrypted: use https:// in GOD_HUB__ENDPOINT")
        return api


@contextmanager
def _answering(what: str) -> Iterator[None]:
    """Turn the library's errors into ours."""
    import httpx2
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        SafetensorsParsingError,
    )

    try:
        yield
    except (HFValidationError, SafetensorsParsingError) as e:
        raise PrerequisiteError(f"{what}: {e}; correct its entry in the catalogue, or take another") from e
    except (LocalEntryNotFoundError, httpx2.TransportError) as e:
        raise UnreachableError(f"{what}: the hub does not answer ({e})") from e
    except HfHubHTTPError as e:
        status = e.response.status_code
        if status >= 500 or status in (408, 429):
            raise UnreachableError(f"{what}: the hub is in trouble ({status})") from e
        raise PrerequisiteError(
            f"{what} is not to be had: the hub answers {status}; correct its entry, or set GOD_HUB__TOKEN"
        ) from e
