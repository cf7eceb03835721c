"""Runs one call after another in workers (`worker.py`), each call in a fresh process, and bounds what it costs.

Covered: no file, socket, signal, further process or new native code (seccomp, and Landlock where the kernel has it);
CPU time, wall time, memory, length of the answer, number of candidate programs; an empty environment; nothing
remembered from call to call; a call cannot reach another or us. What comes back is data until it is checked here.

Not covered: the kernel's own holes, side channels of a shared processor, and what a function makes of the clock.
"""

import json
import math
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from core.challenge import RewardFunction
from core.errors import PrerequisiteError
from core.rewards.contract import asks_for, name_of
from evaluators.rewards import seccomp
from evaluators.rewards.worker import SETTINGS

WORKER = Path(__file__).with_name("worker.py")
MOST_ANSWER_BYTES = 1 << 20
MOST_RUNS = 64
"""Candidate programs of one call."""
START_SECONDS = 30.0
KINDS = frozenset({"crash", "type", "length", "finite"})
"""Failures that a worker may name itself."""


@dataclass(frozen=True)
class Limits:
    """Of one call."""

    cpu_seconds: int
    wall_seconds: float
    """Without what its candidate programs take; a call that sleeps ends here."""
    memory_bytes: int
    """Of address space, Python's own 40 MiB included."""


FUNCTION = Limits(cpu_seconds=4, wall_seconds=20.0, memory_bytes=512 << 20)
PROGRAM = Limits(cpu_seconds=2, wall_seconds=10.0, memory_bytes=256 << 20)


@dataclass(frozen=True)
class Failure:
    """A call without a result."""

    kind: str
    """`crash`, `timeout`, `type`, `length` or `finite`."""
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


class CallFailedError(Exception):
    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.failure = Failure(kind, "".join(sign if sign.isprintable() else "?" for sign in detail[:300]))


class Sandbox:
    """A worker for functions and one for programs, started on first use. Use it in a `with`."""

    def __init__(self, function_limits: Limits = FUNCTION, program_limits: Limits = PROGRAM) -> None:
        self._functions, self._programs = Worker(function_limits), Worker(program_limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._functions.stop()
        self._programs.stop()

    @property
    def confinement(self) -> str:
        """What holds a call, such as `seccomp, Landlock 7`."""
        return self._functions.confinement()

    def values(
        self, function: RewardFunction, completions: Sequence[str], prompt: str, extra: Any = None
    ) -> list[float] | Failure:
        """One finite number per completion, as the function gave it, or why there is none."""
        given = {"prompts": [prompt] * len(completions), "extra_data": [extra] * len(completions)}
        asked = {name: value for name, value in given.items() if asks_for(function.reward_func, name)}
        call = {
            "kind": "function",
            "source": function.reward_func,
            "name": name_of(function.reward_func),
            "arguments": {"completions": list(completions), **asked},
        }
        try:
            return _numbers(_Call(self._functions, self.run_program).ask(call), len(completions))
        except CallFailedError as e:
            return e.failure

    def run_program(self, source: str, stdin: str) -> dict[str, str]:
        """A candidate program on a text: `status` (`ok`, `error`, `timeout`, `output`) and `stdout`."""
        call = {"kind": "program", "source": source, "stdin": stdin}
        try:
            answer = _Call(self._programs, None).ask(call)
        except CallFailedError as e:
            return {"status": "timeout" if e.failure.kind == "timeout" else "error", "stdout": ""}
        status, stdout = answer.get("status"), answer.get("stdout")
        if status not in ("ok", "error", "output") or not isinstance(stdout, str):
            return {"status": "error", "stdout": ""}
        return {"status": status, "stdout": stdout}


def _numbers(answer: dict[str, Any], count: int) -> list[float]:
    """The values of an answer that may be forged. Raises CallFailedError."""
    if answer.get("error") in KINDS:
        raise CallFailedError(answer["error"], str(answer.get("detail")))
    values = answer.get("values")
    if not isinstance(values, list) or len(values) != count:
        raise CallFailedError("length", "its answer does not hold a number for each completion")
    if not all(type(value) is float and math.isfinite(value) for value in values):
        raise CallFailedError("finite", "its answer holds something that is not a finite number")
    return values


class Worker:
    """A process of `worker.py`. Replaced when a call outlasts its time or takes it down."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._confinement = ""

    def confinement(self) -> str:
        if self._process is None:
            self._start()
        return self._confinement

    def open_call(self) -> socket.socket:
        """A fresh process's socket."""
        if self._process is None:
            self._start()
        assert self._control is not None
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"c"], [theirs.fileno()])
        return ours

    def ending(self, seconds: float) -> int:
        """Exit code of the call's process, negative for a signal. Raises TimeoutError."""
        assert self._control is not None
        self._control.settimeout(max(seconds, 0.05))
        word = self._control.recv(4)
        if len(word) < 4:
            raise TimeoutError("the worker is gone")
        return os.waitstatus_to_exitcode(struct.unpack("=i", word)[0])

    def stop(self) -> None:
        """End it, and with it what it runs: its child has asked the kernel for that."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._control is not None:
            self._control.close()
        self._process = self._control = None

    def _start(self) -> None:
        """Raises PrerequisiteError when reward functions cannot be confined here: then none is run."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-S", "-s", "-P", "-B", str(WORKER), str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                env={"PYTHONHASHSEED": "0"},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._control.settimeout(START_SECONDS)
        try:
            self._control.send(SETTINGS.pack(self.limits.cpu_seconds, self.limits.memory_bytes) + seccomp.program())
            self._control.recv(16)
            self._confinement = str(_Call(self, None).ask({"kind": "probe"})["done"])
        except (OSError, KeyError, CallFailedError) as e:
            self.stop()
            raise PrerequisiteError(
                f"reward functions cannot be confined here ({e}): seccomp filters must be allowed"
            ) from e


class _Call:
    """One question to a fresh process, and its answer."""

    def __init__(self, worker: Worker, run_program: Any) -> None:
        self._worker, self._run_program = worker, run_program
        self._runs = 0
        self._heard = b""

    def ask(self, call: dict[str, Any]) -> dict[str, Any]:
        """Raises CallFailedError."""
        with self._worker.open_call() as channel:
            self._deadline = time.monotonic() + self._worker.limits.wall_seconds
            try:
                answer = self._converse(channel, call)
            except TimeoutError:
                self._worker.stop()
                raise CallFailedError("timeout", f"no answer in {self._worker.limits.wall_seconds:g} s") from None
            except CallFailedError:
                self._worker.stop()
                raise
        return self._concluded(answer)

    def _converse(self, channel: socket.socket, call: dict[str, Any]) -> dict[str, Any] | None:
        """The last word; None when the process ended without one."""
        message: dict[str, Any] | None = call
        while message is not None:
            with suppress(ConnectionError):
                channel.settimeout(self._left())
                channel.sendall(json.dumps(message).encode() + b"\n")
            word = self._hear(channel)
            if word is None or "run" not in word:
                return word
            message = self._run(word)
        return None

    def _run(self, word: dict[str, Any]) -> dict[str, str]:
        """What a candidate program made; the time it took is the call's gain."""
        self._runs += 1
        source, stdin = word["run"], word.get("stdin")
        if self._run_program is None or not (isinstance(source, str) and isinstance(stdin, str)):
            raise CallFailedError("crash", "it asked for a program in no words of ours")
        if self._runs > MOST_RUNS:
            return {"status": "refused", "stdout": f"more than {MOST_RUNS} programs in one call"}
        began = time.monotonic()
        result: dict[str, str] = self._run_program(source, stdin)
        self._deadline += time.monotonic() - began
        return result

    def _hear(self, channel: socket.socket) -> dict[str, Any] | None:
        while b"\n" not in self._heard:
            channel.settimeout(self._left())
            try:
                part = channel.recv(1 << 16)
            except ConnectionError:
                part = b""
            if not part:
                return None
            self._heard += part
            if len(self._heard) > MOST_ANSWER_BYTES:
                raise CallFailedError("crash", f"its answer has more than {MOST_ANSWER_BYTES} bytes")
        line, _, self._heard = self._heard.partition(b"\n")
        return _sound(line)

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _concluded(self, answer: dict[str, Any] | None) -> dict[str, Any]:
        """The answer, once its process has ended by itself."""
        try:
            code = self._worker.ending(self._deadline - time.monotonic())
        except (TimeoutError, ConnectionError):
            self._worker.stop()
            raise CallFailedError("timeout", "its process did not end") from None
        if answer is not None and code == 0:
            return answer
        if code in (-signal.SIGXCPU, -signal.SIGKILL):
            raise CallFailedError("timeout", f"more than {self._worker.limits.cpu_seconds} s of CPU time")
        raise CallFailedError("crash", f"its process died of {_cause(code)}, without an answer")


def _sound(line: bytes) -> dict[str, Any]:
    """Raises CallFailedError for what is not a JSON object."""
    try:
        word = json.loads(line)
    except (ValueError, RecursionError):
        word = None
    if not isinstance(word, dict):
        raise CallFailedError("crash", "its answer is in no words of ours")
    return word


def _cause(code: int) -> str:
    if code < 0 and -code in set(signal.Signals):
        return signal.Signals(-code).name
    return f"exit code {code}"
