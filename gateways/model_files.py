"""The files of a base model: data only, nothing that runs or unpickles. Its size is what the headers say."""

from pathlib import Path

from core.errors import PrerequisiteError
from core.safetensors import TensorInfo, parameters, read_header
from gateways.trees import regular_files

MODEL_FILES = {".json", ".txt", ".model", ".safetensors", ".jinja"}
CONFIG = "config.json"
INDEX = "model.safetensors.index.json"


def is_model_file(path: str) -> bool:
    """Hidden files and those in hidden folders are none."""
    return not path.startswith(".") and "/." not in path and Path(path).suffix in MODEL_FILES


def model_files(folder: Path) -> list[str]:
    """Paths of the files that are used, sorted."""
    try:
        return sorted(path for path in regular_files(folder) if is_model_file(path))
    except ValueError as e:
        raise PrerequisiteError(f"the model in {folder} cannot be used: {e}; copy the files themselves there") from e


def count_parameters(folder: Path) -> int:
    """By the files' headers; a tensor that two files of one folder hold counts once."""
    tensors: dict[tuple[Path, str], TensorInfo] = {}
    weights = [folder / name for name in model_files(folder) if name.endswith(".safetensors")]
    try:
        for path in weights:
            with path.open("rb") as stream:
                header = read_header(stream, path.stat().st_size)
            tensors |= {(path.parent, name): tensor for name, tensor in header.items()}
    except ValueError as e:
        raise PrerequisiteError(f"{path} is not a sound safetensors file: {e}; copy it again") from e
    if not tensors or not (folder / CONFIG).is_file():
        raise PrerequisiteError(f"{folder} is no model: it needs config.json and *.safetensors; complete or remove it")
    return parameters(tensors.values())
