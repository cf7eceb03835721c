"""The container engine: Docker's socket, or Podman's, where DOCKER_HOST says."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from core.errors import UnreachableError

ANSWER_SECONDS = 20


@contextmanager
def connected(timeout: int = ANSWER_SECONDS) -> Iterator[docker.DockerClient]:
    """A client of the engine. Raises UnreachableError when none answers."""
    try:
        client = docker.from_env(timeout=timeout)
    except DockerException as e:
        raise UnreachableError(f"no container engine answers: {e}; start one, or set GOD_COMPUTE__DRIVER") from e
    with closing(client):
        yield client


def engine_answers() -> bool:
    try:
        with connected() as client:
            return bool(client.ping())
    except (UnreachableError, DockerException, RequestException):
        return False
