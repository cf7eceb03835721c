"""Images of a repository: by an engine, or the stand-ins where there is none."""

from pathlib import Path

import pytest

from core.compute import BuildFailure, Ending
from core.errors import Fault, PrerequisiteError
from gateways.compute.images import Image, ImageFolder
from gateways.compute.local import LocalCompute
from gateways.settings import ComputeSettings
from tests.gateways.compute.machine import DOCKERFILE, Machine


def repository(folder: Path, dockerfile: str, **files: str) -> Path:
    for name, content in {DOCKERFILE: dockerfile, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


@pytest.fixture
def images(tmp_path: Path) -> ImageFolder:
    return ImageFolder(tmp_path / "images")


def build(images: ImageFolder, source: Path, tag: str = "a/b:c") -> tuple[Image, dict[str, str]]:
    image = images.build(source, DOCKERFILE, tag)
    assert isinstance(image, str), image
    rootfs = Path(image, "rootfs")
    files = {str(path.relative_to(rootfs)): path.read_text() for path in rootfs.rglob("*") if path.is_file()}
    return images.load(image), files


def test_files_appear_where_copy_says(images: ImageFolder, tmp_path: Path):
    text = "FROM a\nWORKDIR /w\nCOPY train.py /opt/renamed.py\nCOPY src /code\nCOPY src/*.py lib/\nCMD x"
    source = repository(tmp_path / "r", text, **{"train.py": "1", "src/a.py": "2", "src/deep/b.txt": "3"})
    image, files = build(images, source)
    assert image.workdir == "/w"
    assert files == {"opt/renamed.py": "1", "code/a.py": "2", "code/deep/b.txt": "3", "w/lib/a.py": "2"}


def test_what_dockerignore_names_stays_out(images: ImageFolder, tmp_path: Path):
    files = {"train.py": "1", "notes/private.txt": "2", ".dockerignore": "notes\n# comment\n"}
    _, found = build(images, repository(tmp_path / "r", "FROM a\nCOPY . /w\nCMD x", **files))
    assert "w/train.py" in found and "w/notes/private.txt" not in found


def test_links_stay_out(images: ImageFolder, tmp_path: Path):
    source = repository(tmp_path / "r", "FROM a\nCOPY . /w\nCMD x")
    (source / "host").symlink_to("/etc")
    (source / "shadow").symlink_to("/etc/shadow")
    _, found = build(images, source)
    assert list(found) == [f"w/{DOCKERFILE}"]


@pytest.mark.parametrize("place", ["/usr/lib/", "/etc/", "/usr/local/bin/../../lib/", "/proc/", "/run/sandbox/"])
def test_the_sandboxes_own_places_stay_its_own(images: ImageFolder, tmp_path: Path, place: str):
    source = repository(tmp_path / "r", f"FROM a\nCOPY train.py {place}\nCMD x", **{"train.py": "1"})
    image, found = build(images, source)
    assert found == {}
    assert any("belongs to the sandbox" in notice for notice in image.notices)


def test_a_tag_is_built_once(images: ImageFolder, tmp_path: Path):
    source = repository(tmp_path / "r", "FROM a\nCOPY train.py /w/\nCMD x", **{"train.py": "1"})
    build(images, source)
    (source / "train.py").write_text("2")
    assert build(images, source)[1] == {"w/train.py": "1"}
    assert build(images, source, "another:tag")[1] == {"w/train.py": "2"}


@pytest.mark.parametrize(
    ("dockerfile", "words"),
    [
        ("FROM a", "neither ENTRYPOINT nor CMD"),
        ("FROM a\nCOPY missing /w\nCMD x", "COPY missing: there is no such file"),
        ("FROM a\nCOPY ../../../../etc/passwd /w/\nCMD x", "no such file"),
        ("FROM a\nCOPY train.py /w\nCOPY train.py /w/x/y\nCMD x", "a file where a folder is"),
    ],
)
def test_a_broken_dockerfile_is_the_miners(images: ImageFolder, tmp_path: Path, dockerfile: str, words: str):
    failure = images.build(repository(tmp_path / "r", dockerfile, **{"train.py": "1"}), DOCKERFILE, "t")
    assert isinstance(failure, BuildFailure)
    assert failure.fault is Fault.MINER
    assert words in failure.reason


def test_a_dockerfile_that_is_a_link_out_is_not_read(images: ImageFolder, tmp_path: Path):
    (tmp_path / "r").mkdir()
    (tmp_path / "secret").write_text("FROM a\nCMD x")
    (tmp_path / "r" / "Dockerfile").symlink_to(tmp_path / "secret")
    assert isinstance(images.build(tmp_path / "r", "Dockerfile", "t"), BuildFailure)


def test_an_unknown_image_is_ours(images: ImageFolder):
    with pytest.raises(PrerequisiteError, match="nowhere"):
        images.load("/nowhere")
    with pytest.raises(PrerequisiteError, match="evaluator-text"):
        images.trusted("evaluator-audio")


def test_a_missing_dockerfile_is_the_miners(machine: Machine):
    failure = machine.compute.build(machine.folder, "no/such.dockerfile", "god-test/none:1")
    assert isinstance(failure, BuildFailure) and failure.fault is Fault.MINER


def test_nonsense_is_the_miners(machine: Machine):
    failure = machine.build("NONSENSE here")
    assert isinstance(failure, BuildFailure) and failure.fault is Fault.MINER
    failure = machine.build("COPY no-such-file /x\nCMD x", tag="missing")
    assert isinstance(failure, BuildFailure) and failure.fault is Fault.MINER


def test_environment_folder_and_arguments_reach_the_entry_point(machine: Machine):
    script = '#!/bin/sh\necho "$PWD $COLOUR $SIZE $1 $2"\n'
    text = 'WORKDIR /workspace\nENV COLOUR=blue SIZE=1\nCOPY . .\nENTRYPOINT ["sh", "./entry.sh"]\nCMD ["default"]'
    image = machine.build(text, {"entry.sh": script})
    machine.run("", name="plain", image=image, command=())
    machine.run("", name="told", image=image, command=("--task-id", "7"), environment={"SIZE": "2"})
    assert machine.log("plain").endswith("/workspace blue 1 default \n")
    assert machine.log("told").endswith("/workspace blue 2 --task-id 7\n")


def test_output_below_the_repositorys_own_folder(machine: Machine):
    image = machine.build(
        'WORKDIR /app\nCOPY . /app\nENTRYPOINT ["sh", "./entry.sh"]', {"entry.sh": "ls; echo x > checkpoints/t/r/x"}
    )
    status = machine.run("", image=image, output_target="/app/checkpoints/t/r")
    assert status.ending is Ending.FINISHED, machine.log()
    assert (machine.output() / "x").exists() and "entry.sh" in machine.log()


@pytest.mark.sandbox
def test_what_a_stand_in_leaves_out_is_said_in_the_log(bubblewrap: Machine):
    image = bubblewrap.build('RUN pip install something\nENTRYPOINT ["true"]')
    bubblewrap.run("", image=image)
    assert "RUN pip install something: left out" in bubblewrap.log()


@pytest.mark.sandbox
@pytest.mark.parametrize("python", ["python", "python3", "/usr/local/bin/python", "/opt/conda/bin/python3"])
def test_python_is_the_evaluation_environments(bubblewrap: Machine, python: str):
    image = bubblewrap.build(f'ENTRYPOINT ["{python}", "-c", "import torch; print(torch.__name__)"]')
    status = bubblewrap.run("", image=image, command=())
    assert status.ending is Ending.FINISHED, bubblewrap.log()


@pytest.mark.sandbox
def test_a_script_can_be_put_among_the_programs(bubblewrap: Machine):
    source = bubblewrap.repository(
        'FROM a\nCOPY tool /usr/local/bin/\nENTRYPOINT ["tool"]', {"tool": "#!/bin/sh\nls /usr/bin/env\n"}
    )
    (source / "tool").chmod(0o755)
    image = bubblewrap.compute.build(source, DOCKERFILE, "tool")
    status = bubblewrap.run("", image=image, command=())
    assert status.ending is Ending.FINISHED, bubblewrap.log()


@pytest.mark.sandbox
def test_our_evaluator_finds_its_code(bubblewrap: Machine):
    image = bubblewrap.compute.trusted_image("evaluator-text")
    assert image == bubblewrap.compute.trusted_image("evaluator-text")
    status = bubblewrap.run("", image=image, command=("/no-such-job",), output_target="/job", limits={"seconds": 60.0})
    assert status.ending is Ending.CRASHED
    assert "/no-such-job/spec.json is not there" in bubblewrap.log()


@pytest.mark.docker
def test_a_missing_evaluator_image_is_named_with_its_remedy(engine, tmp_path: Path):
    settings = ComputeSettings(driver="containers", evaluator_image="god-test/no-evaluator:1")
    with pytest.raises(
        PrerequisiteError, match=r"docker build -t god-test/no-evaluator:1 -f dockerfiles/evaluator-text"
    ):
        LocalCompute(settings, tmp_path).trusted_image("evaluator-text")


@pytest.mark.docker
def test_auto_takes_the_engine_that_answers(engine, tmp_path: Path):
    assert LocalCompute(ComputeSettings(), tmp_path).driver.name == "containers"


def test_auto_is_bubblewrap_where_no_engine_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    assert LocalCompute(ComputeSettings(), tmp_path).driver.name == "bubblewrap"


@pytest.mark.parametrize(
    ("dockerfile", "files"),
    [
        ("COPY **y /a/\nCMD x", {}),
        ("COPY . /a\0b/\nCMD x", {}),
        (f"WORKDIR /{'w' * 300}\nCMD x", {}),
        ("COPY train.py /app\nWORKDIR /app\nCMD x", {"train.py": ""}),
        ("CMD " + "[" * 100_000, {}),
        ('CMD ["\\ud800"]', {}),
        ("COPY . /a/\nCMD x", {".dockerignore": "[z-a]"}),
    ],
    ids=["glob", "nul", "long", "file-as-folder", "deep", "surrogate", "ignore"],
)
def test_whatever_a_dockerfile_breaks_is_the_miners(
    bubblewrap: Machine, dockerfile: str, files: dict[str, str]
) -> None:
    """Each of these once crashed the build instead of ending as an image or a refusal."""
    built = bubblewrap.build(dockerfile, files)
    assert isinstance(built, str) or built.fault is Fault.MINER
