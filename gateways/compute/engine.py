"""The container engine: Docker's socket, or Podman's, where DOCKER_HOST says."""

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import docker
from docker.constants import DEFAULT_UNIX_SOCKET
from docker.errors import DockerException
from requests.exceptions import RequestException

from core.errors import UnreachableError

ANSWER_SECONDS = 20


@contextmanager
def connected(timeout: int = ANSWER_SECONDS) -> Iterator[docker.DockerClient]:
    """A client of the engine. Raises UnreachableError when none answers."""
    try:
        _knock()
        client = docker.from_env(timeout=timeout)
    except (OSError, DockerException) as e:
        raise UnreachableError(f"no container engine answers: {e}; start one, or set GOD_COMPUTE__DRIVER") from e
    with closing(client):
        yield client


def engine_answers() -> bool:
    try:
        with connected() as client:
            return bool(client.ping())
    except (UnreachableError, DockerException, RequestException):
        return False


def _knock() -> None:
    """Raises OSError when nobody listens on a local socket: the SDK would find out too, and leak its own socket."""
    scheme, _, path = os.environ.get("DOCKER_HOST", DEFAULT_UNIX_SOCKET).partition("://")
    if scheme.endswith("unix"):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(f"/{path.lstrip('/')}")
