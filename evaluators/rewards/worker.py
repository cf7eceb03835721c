"""The process that reward functions and candidate programs run in. Started by `sandbox.py`, never imported by us.

It holds no secret and reads no call itself. For every call it is handed a socket, forks, and its child gives up all
that a process can do (see `_confine`) before it reads the call from there, and answers there. Nothing of one call
outlives it, and no call sees another.

Words, one JSON object a line. The call: {"kind": "function", "source", "name", "arguments"}, {"kind": "program",
"source", "stdin"} or {"kind": "probe"}. The answer: {"values"}, {"status", "stdout"}, {"done"} or {"error", "detail"};
a function may say {"run": program, "stdin": text} before, and is answered {"status", "stdout"}.
"""

import builtins
import ctypes
import importlib
import io
import json
import math
import os
import random
import resource
import signal
import socket
import struct
import sys
import types
from typing import Any, NamedTuple

ALLOWED = (
    frozenset({"__future__", "abc", "array", "ast", "base64", "binascii", "bisect", "calendar", "cmath", "collections"})
    | {"contextlib", "copy", "csv", "dataclasses", "datetime", "decimal", "difflib", "enum", "fractions", "functools"}
    | {"hashlib", "heapq", "html", "io", "itertools", "json", "keyword", "math", "numbers", "operator", "random", "re"}
    | {"statistics", "string", "textwrap", "time", "tokenize", "types", "typing", "unicodedata", "zlib"}
)
"""What a function or program may import; programs also `sys`."""
_NEEDED_LATER = (
    "_strptime",
    "collections.abc",
    "html.entities",
    "encodings.ascii",
    "encodings.latin_1",
    "traceback",
    "copyreg",
)
"""What those import on first use, when no file can be opened any more."""
_BY_THE_INTERPRETER = frozenset({"_strptime", "copyreg", "warnings"})
"""What C code imports in a function's name: dates, copies, warnings."""
BROKEN = 3
"""Exit code of a child that could not be confined, or lost its words."""
MOST_ERROR = 300
MOST_STDOUT = 1 << 16
SETTINGS = struct.Struct("=QQ")
"""Head of the first message: CPU seconds and bytes of address space; the system call filter follows."""
_SET_NO_NEW_PRIVS, _SET_PDEATHSIG, _SET_SECCOMP, _FILTER_MODE = 38, 1, 22, 2
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446
_LIBC = ctypes.CDLL(None, use_errno=True)


class Run(NamedTuple):
    """How a candidate program went."""

    status: str
    """`ok`, `error`, `timeout` or `output` (it printed too much)."""
    stdout: str


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def serve(control: socket.socket) -> None:
    """Fork for every pair of pipes that comes; say how the child ended."""
    head = control.recv(1 << 16)
    cpu_seconds, memory_bytes = SETTINGS.unpack_from(head)
    limits = (cpu_seconds, memory_bytes, head[SETTINGS.size :])
    for name in (*ALLOWED, *_NEEDED_LATER):
        importlib.import_module(name)
    control.send(b"ready")
    while True:
        word, channels, _, _ = socket.recv_fds(control, 1, 1)
        if not word:
            return
        child = os.fork()
        if child == 0:
            _be_child(control, channels[0], limits)
        os.close(channels[0])
        control.send(struct.pack("=i", os.waitpid(child, 0)[1]))


def _be_child(control: socket.socket, channel: int, limits: tuple[int, int, bytes]) -> None:
    try:
        os.dup2(channel, 0)
        os.dup2(channel, 1)
        control.close()
        os.closerange(2, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        confinement = _confine(*limits)
        _answer(_read_line(), confinement)
        os._exit(0)
    finally:
        os._exit(BROKEN)


def _confine(cpu_seconds: int, memory_bytes: int, seccomp: bytes) -> str:
    """Give up everything but computing. Raises OSError when the kernel refuses; then nothing is run."""
    _call(_LIBC.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    _call(_LIBC.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    landlock = _landlock()
    for which, soft, hard in (
        (resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + 1),
        (resource.RLIMIT_AS, memory_bytes, memory_bytes),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_NPROC, 0, 0),
        (resource.RLIMIT_NOFILE, 2, 2),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        resource.setrlimit(which, (soft, hard))
    buffer = ctypes.create_string_buffer(seccomp, len(seccomp))
    program = _Program(len(seccomp) // 8, ctypes.addressof(buffer))
    _call(_LIBC.prctl(_SET_SECCOMP, _FILTER_MODE, ctypes.byref(program), 0, 0))
    return f"seccomp, {landlock}"


def _landlock() -> str:
    """A second wall where the kernel has one: no file, no port, no signal to outside."""
    version = _LIBC.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return "no Landlock"
    files = (1 << (13 if version == 1 else 14 if version == 2 else 15 if version < 5 else 16)) - 1
    rights = struct.pack("=QQQ", files, 3, 3)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = _call(_LIBC.syscall(_LANDLOCK_CREATE, rights, ctypes.c_size_t(len(rights)), 0))
    _call(_LIBC.syscall(_LANDLOCK_RESTRICT, ruleset, 0))
    os.close(ruleset)
    return f"Landlock {version}"


def _call(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _read_line() -> Any:
    parts: list[bytes] = []
    while not parts or not parts[-1].endswith(b"\n"):
        part = os.read(0, 1 << 20)
        if not part:
            raise EOFError("the call ended early")
        parts.append(part)
    return json.loads(b"".join(parts))


def _say(message: Any) -> None:
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]


def _answer(call: dict[str, Any], confinement: str) -> None:
    random.seed(0)
    sys.stdout = sys.stderr = _Dropped()
    if call["kind"] == "probe":
        _say({"done": confinement} if _is_shut() else {"error": "probe", "detail": "files can still be opened"})
    elif call["kind"] == "program":
        _say(_run_program(call["source"], call["stdin"]))
    else:
        _say(_run_function(call["source"], call["name"], call["arguments"]))


def _is_shut() -> bool:
    try:
        os.open("/", os.O_RDONLY)
    except PermissionError:
        return True
    return False


def _run_function(source: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        sandbox = types.ModuleType("sandbox")
        sandbox.__dict__.update(run_program=_ask_for_run, Run=Run)
        sys.modules["sandbox"] = sandbox
        module = _module("reward", {*ALLOWED, "sandbox"})
        exec(compile(source, "<reward>", "exec", dont_inherit=True), module.__dict__)  # noqa: S102
        return _values(module.__dict__[name](**arguments), len(arguments["completions"]))
    except BaseException as e:
        return {"error": "crash", "detail": _said(e)}


def _values(result: object, count: int) -> dict[str, Any]:
    if type(result) is not list:
        return {"error": "type", "detail": f"it returned a {_short(type(result).__name__)}, not a list"}
    if len(result) != count:
        return {"error": "length", "detail": f"it returned {len(result)} values for {count} completions"}
    for at, value in enumerate(result):
        if type(value) not in (int, float):
            return {"error": "type", "detail": f"value {at} is a {_short(type(value).__name__)}, not a number"}
        if not _is_finite(value):
            return {"error": "finite", "detail": f"value {at} is not a finite number"}
    return {"values": [float(value) for value in result]}


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _run_program(source: str, stdin: str) -> dict[str, Any]:
    out = sys.stdout = _Bounded()
    sys.stdin = io.StringIO(stdin)
    try:
        module = _module("__main__", {*ALLOWED, "sys"})
        exec(compile(source, "<program>", "exec", dont_inherit=True), module.__dict__)  # noqa: S102
        status = "ok"
    except SystemExit as e:
        status = "ok" if e.code in (None, 0) else "error"
    except BaseException:
        status = "error"
    return {"status": "output" if out.is_full else status, "stdout": out.getvalue()}


def _ask_for_run(source: str, stdin: str = "") -> Run:
    """Have a program run in a process of its own, with tighter limits than this one's."""
    _say({"run": str(source), "stdin": str(stdin)})
    answer = _read_line()
    if answer["status"] == "refused":
        raise RuntimeError(answer["stdout"])
    return Run(answer["status"], answer["stdout"])


def _module(name: str, allowed: set[str]) -> types.ModuleType:
    def limited(wanted: str, *arguments: Any, **keywords: Any) -> Any:
        if wanted.partition(".")[0] not in allowed | _BY_THE_INTERPRETER:
            raise ImportError(f"{_short(wanted)} is not among the modules that may be imported")
        return importlib.__import__(wanted, *arguments, **keywords)

    module = types.ModuleType(name)
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": limited}
    sys.modules[name] = module
    return module


class _Dropped(io.TextIOBase):
    """Where a reward function's prints go."""

    def write(self, text: str) -> int:
        return len(text)


class _Bounded(io.StringIO):
    """Takes what is printed, so much of it."""

    is_full = False

    def write(self, text: str) -> int:
        room = MOST_STDOUT - self.tell()
        if len(text) > room:
            self.is_full = True
            super().write(text[:room])
            raise OSError("more was printed than is allowed")
        return super().write(text)


def _said(error: BaseException) -> str:
    try:
        return _short(f"{type(error).__name__}: {error}")
    except BaseException:
        return "an error that cannot be shown"


def _short(text: str) -> str:
    return str(text)[:MOST_ERROR]


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
