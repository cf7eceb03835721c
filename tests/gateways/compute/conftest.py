"""A machine to run sandboxes on, once by bubblewrap and once by a container engine."""

import io
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from gateways.compute.engine import engine_answers
from tests.gateways.compute.machine import Machine

BASE_IMAGE = "god-test/base:latest"


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[docker.DockerClient]:
    """A container engine with a base image of busybox; one of our own where none answers."""
    own = None if engine_answers() else _start_engine(tmp_path_factory.mktemp("engine"))
    client = docker.from_env()
    if not client.images.list(BASE_IMAGE):
        repository, tag = BASE_IMAGE.split(":")
        client.api.import_image_from_data(_busybox_root(), repository=repository, tag=tag)
    yield client
    client.close()
    if own is not None:
        own.terminate()
        own.wait()
        del os.environ["DOCKER_HOST"]


def _start_engine(folder: Path) -> subprocess.Popen[bytes]:
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        pytest.fail("no container engine answers; to start one: root, and apt-get install docker.io busybox-static")
    address = f"unix://{folder}/docker.sock"
    command = ["dockerd", "--storage-driver=overlay2", f"--data-root={folder}/data", f"--exec-root={folder}/exec"]
    command += [f"--pidfile={folder}/pid", "-H", address, "--bridge=none", "--iptables=false", "--ip6tables=false"]
    command += ["--ip-forward=false", "--ip-masq=false", "--userland-proxy=false"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    os.environ["DOCKER_HOST"] = address
    deadline = time.monotonic() + 30
    while not engine_answers():
        assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()[-2000:]
        time.sleep(0.1)
    return process


def _busybox_root() -> bytes:
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.fail("the base image is made of busybox: apt-get install busybox-static")
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(busybox, "bin/busybox")
        for applet in applets:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            if applet != "busybox":
                tar.addfile(link)
    return buffer.getvalue()


@pytest.fixture
def bubblewrap(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine("bubblewrap", tmp_path, "any:base")
    yield machine
    machine.clear()


@pytest.fixture
def containers(tmp_path: Path, engine: docker.DockerClient) -> Iterator[Machine]:
    machine = Machine("containers", tmp_path, BASE_IMAGE)
    yield machine
    machine.clear()


@pytest.fixture(
    params=[
        pytest.param("bubblewrap", marks=pytest.mark.sandbox),
        pytest.param("containers", marks=pytest.mark.docker),
    ]
)
def machine(request: pytest.FixtureRequest) -> Machine:
    """The same promises, kept by each driver."""
    made: Machine = request.getfixturevalue(request.param)
    return made
