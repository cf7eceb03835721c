"""Collecting a checkpoint from a folder that hostile code wrote."""

import os
from pathlib import Path

import pytest

from tasks.artifacts import NothingToCollect, copy_tensors


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """The run's output with a checkpoint's folder in it, and where the copy goes."""
    (tmp_path / "output/task/repository").mkdir(parents=True)
    (tmp_path / "copy").mkdir()
    return tmp_path / "output", tmp_path / "copy"


def collect(folders: tuple[Path, Path]) -> list[str]:
    copy_tensors(folders[0], ("task", "repository"), folders[1])
    return sorted(path.name for path in folders[1].iterdir())


def test_only_tensors_and_the_adapters_numbers_cross(folders: tuple[Path, Path]) -> None:
    for name in ("model.safetensors", "adapter_config.json", "config.json", "evil.py", "weights.bin", "tokenizer.json"):
        (folders[0] / "task/repository" / name).write_text("x")
    assert collect(folders) == ["adapter_config.json", "model.safetensors"]


@pytest.mark.parametrize(
    "name", ["x\\y.safetensors", "a b.safetensors", "\udcff.safetensors", "é.safetensors", "n" * 201]
)
def test_odd_names_are_the_miners(folders: tuple[Path, Path], name: str) -> None:
    file = os.fsencode(folders[0] / "task/repository") + b"/" + os.fsencode(name.removesuffix(".safetensors"))
    os.close(os.open(file + b".safetensors", os.O_CREAT | os.O_WRONLY))
    with pytest.raises(NothingToCollect, match="file name"):
        collect(folders)


def test_a_link_is_not_followed(folders: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (folders[0] / "task/repository/model.safetensors").symlink_to(tmp_path / "secret")
    with pytest.raises(NothingToCollect, match="not a regular file"):
        collect(folders)


def test_a_folder_that_is_a_link_is_not_entered(folders: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/model.safetensors").write_text("x")
    (folders[0] / "task/repository").rmdir()
    (folders[0] / "task/repository").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NothingToCollect, match="no folder"):
        collect(folders)


def test_a_pipe_does_not_hold_us_up(folders: tuple[Path, Path]) -> None:
    os.mkfifo(folders[0] / "task/repository/model.safetensors")
    with pytest.raises(NothingToCollect, match="not a regular file"):
        collect(folders)


def test_an_empty_folder_is_no_checkpoint(folders: tuple[Path, Path]) -> None:
    with pytest.raises(NothingToCollect, match="no \\.safetensors file"):
        collect(folders)
