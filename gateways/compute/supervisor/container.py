"""The sandboxed process of one run, in a container. How the container is made, stands in the plan."""

import socket
import struct
import time
from contextlib import suppress
from typing import Any

import docker
from docker.errors import APIError, DockerException, NotFound
from requests.exceptions import RequestException

from core.errors import UnreachableError
from gateways.compute.engine import ANSWER_SECONDS, connected
from gateways.compute.runs import Plan
from gateways.compute.supervisor.verdict import CRASHED, LOST, RefusedError, Verdict
from gateways.compute.supervisor.verdict import of_exit_code as verdict_of

SILENCE_SECONDS = 60.0
"""How long the engine may be away before the run is given up."""
POLL_SECONDS = 0.25
_CANNOT_RUN = (126, 127)
"""Exit codes of an entry point that the engine could not run, or not find."""


class ContainerSandbox:
    """Creates and starts a container, reads its output, and asks for its end."""

    needs_memory_watch = False

    def __init__(self, plan: Plan) -> None:
        self._create = plan.sandbox["create"]
        self._name: str = self._create["name"]
        self._client: docker.DockerClient | None = None
        self._stream: socket.socket | None = None
        self._frame = b""
        self._frame_left = 0
        self._next_look = 0.0
        self._answered_at = time.monotonic()
        self._unrunnable: Verdict | None = None
        self.is_started = False

    @property
    def trace(self) -> dict[str, Any]:
        """How `end_leftovers` finds what is left of it."""
        return {"container": self._name}

    @property
    def log_source(self) -> int | None:
        return None if self._stream is None else self._stream.fileno()

    @property
    def event_source(self) -> int | None:
        return None

    def launch(self) -> None:
        """Raises RefusedError."""
        try:
            self._client = docker.from_env(timeout=ANSWER_SECONDS)
            container = self._client.containers.create(**self._create)
            self._attach()
            self._start(container)
        except (DockerException, RequestException) as e:
            raise RefusedError(f"the engine would not start it: {e}") from e

    def read_log(self, size: int) -> bytes:
        """Without the headers (stream, three zeros, length) that the engine puts before each piece."""
        if self._stream is None:
            return b""
        try:
            data = self._stream.recv(size)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._stream.close()
            self._stream = None
        return self._unframe(data)

    def poll(self) -> Verdict | None:
        if self._unrunnable is not None:
            return self._unrunnable
        now = time.monotonic()
        if now < self._next_look and self._stream is not None:
            return None
        self._next_look = now + POLL_SECONDS
        return self._look(now)

    def memory_bytes(self) -> int:
        """In use less what the kernel can take back from the page cache."""
        assert self._client is not None
        try:
            usage = self._client.api.stats(self._name, stream=False, one_shot=True)["memory_stats"]
        except (DockerException, RequestException):
            return 0
        facts = usage.get("stats", {})
        cache = facts.get("inactive_file", facts.get("total_inactive_file", 0))
        return max(0, int(usage.get("usage", 0)) - int(cache))

    def kill(self) -> None:
        with suppress(UnreachableError, DockerException, RequestException):
            _remove(self._name)

    def _attach(self) -> None:
        """Before it starts, so that no word is lost; the engine itself keeps no log."""
        assert self._client is not None
        parameters = {"stdout": 1, "stderr": 1, "stream": 1}
        answer = self._client.api.attach_socket(self._name, params=parameters)
        stream: socket.socket = getattr(answer, "_sock", answer)
        self._stream = socket.socket(fileno=socket.dup(stream.fileno()))
        self._stream.setblocking(False)
        answer.close()

    def _start(self, container: Any) -> None:
        try:
            container.start()
        except APIError:
            container.reload()
            code = int(container.attrs["State"]["ExitCode"])
            if code not in _CANNOT_RUN:
                raise
            self._unrunnable = Verdict(CRASHED, "the entry point cannot be run", code)
        self.is_started = True

    def _look(self, now: float) -> Verdict | None:
        assert self._client is not None
        try:
            state = self._client.api.inspect_container(self._name)["State"]
        except NotFound:
            return Verdict(LOST, "the container was removed from outside")
        except (DockerException, RequestException) as e:
            is_late = now - self._answered_at > SILENCE_SECONDS
            return Verdict(LOST, f"the engine does not answer: {e}") if is_late else None
        self._answered_at = now
        if state["Status"] in ("exited", "dead"):
            return verdict_of(int(state["ExitCode"]), out_of_memory=bool(state.get("OOMKilled")))
        return None

    def _unframe(self, data: bytes) -> bytes:
        text = b""
        while data:
            if self._frame_left:
                text, data, taken = text + data[: self._frame_left], data[self._frame_left :], len(data)
                self._frame_left -= min(self._frame_left, taken)
                continue
            header, data = (self._frame + data)[:8], data[8 - len(self._frame) :]
            self._frame = header if len(header) < 8 else b""
            if not self._frame:
                (self._frame_left,) = struct.unpack(">4xI", header)
        return text


def end_leftovers(trace: dict[str, Any]) -> None:
    """Remove the container that a dead supervisor left."""
    if "container" in trace:
        with suppress(UnreachableError, DockerException, RequestException):
            _remove(trace["container"])


def _remove(name: str) -> None:
    with connected() as client, suppress(NotFound):
        client.api.remove_container(name, force=True, v=True)
