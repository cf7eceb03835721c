"""supervisord: keeps the programs running, restarts what dies, and is spoken to over a unix socket."""

import http.client
import os
import shlex
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from core.errors import PrerequisiteError
from core.value import Frozen, canonical_json, sha256_hex
from embedded.programs import Program, log_of, working_folder
from embedded.state import State, write_atomically

RUNNING, STARTING = "RUNNING", "STARTING"
START_SECONDS = 10.0


class ProcessInfo(Frozen):
    """What supervisord says of a program."""

    state: str
    pid: int
    started: int
    """Seconds since the epoch."""
    detail: str

    @property
    def gives_up(self) -> bool:
        """It ends too soon after every start."""
        return self.state in ("BACKOFF", "FATAL")


class Supervisor:
    """The supervisord of one state folder, running or not."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._configuration = state.run / "supervisord.conf"

    def processes(self) -> dict[str, ProcessInfo]:
        """Every program by name; empty when supervisord does not answer."""
        try:
            answer = cast(list[dict[str, Any]], self._ask("getAllProcessInfo"))
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return {}
        return {
            each["name"]: ProcessInfo(
                state=each["statename"], pid=each["pid"], started=each["start"], detail=each["description"]
            )
            for each in answer
        }

    def answers(self) -> bool:
        return bool(self.processes())

    def has(self, programs: Sequence[Program], environment: Mapping[str, str]) -> bool:
        """It runs, with exactly this configuration."""
        text = _configuration_of(self._state, programs, environment)
        return self.answers() and self._configuration.exists() and self._configuration.read_text() == text

    def launch(self, programs: Sequence[Program], environment: Mapping[str, str]) -> None:
        """Start supervisord, with no program running yet."""
        write_atomically(self._configuration, _configuration_of(self._state, programs, environment))
        self._state.socket.unlink(missing_ok=True)
        command = [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", str(self._configuration)]
        started = subprocess.run(command, env=dict(environment), cwd=working_folder(), capture_output=True, text=True)
        if started.returncode != 0:
            raise PrerequisiteError(f"supervisord did not start: {(started.stderr or started.stdout).strip()[-300:]}")
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if time.monotonic() > deadline:
                raise PrerequisiteError(f"supervisord does not answer: see {log_of(self._state, 'supervisord')}")
            time.sleep(0.05)

    def start(self, names: Sequence[str]) -> None:
        """Start programs without waiting for them; one that runs is left alone."""
        now = self.processes()
        for name in names:
            if now[name].state not in (RUNNING, STARTING):
                with suppress(xmlrpc.client.Fault):  # it was just restarting by itself
                    self._ask("startProcess", name, False)

    def stop(self, names: Sequence[str]) -> None:
        """Stop programs that are there, and wait for it."""
        for name in names:
            with suppress(xmlrpc.client.Fault, OSError, http.client.HTTPException):
                self._ask("stopProcess", name, True)

    def shut_down(self) -> None:
        with suppress(xmlrpc.client.Error, OSError, http.client.HTTPException):
            self._ask("shutdown")

    def _ask(self, method: str, *arguments: Any) -> Any:
        """One connection a question: it may come from any thread."""
        transport = _UnixTransport(self._state.socket)
        with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as remote:
            return getattr(remote.supervisor, method)(*arguments)


def _configuration_of(state: State, programs: Sequence[Program], environment: Mapping[str, str]) -> str:
    named = {key: value for key, value in environment.items() if key.startswith(("GOD_", "PREFECT_", "AWS_"))}
    log, pid_file = log_of(state, "supervisord"), state.run / "supervisord.pid"
    sections = [
        f"; environment {sha256_hex(canonical_json(named))}",
        f"[unix_http_server]\nfile={_quoted(state.socket)}\nchmod=0700",
        f"[supervisord]\nlogfile={_quoted(log)}\npidfile={_quoted(pid_file)}\nchildlogdir={_quoted(state.logs)}\n"
        "logfile_backups=1\nminfds=1024",
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
        *(_section(state, program) for program in programs),
    ]
    return "\n\n".join(sections) + "\n"


def _section(state: State, program: Program) -> str:
    group = str(program.stop_group).lower()
    lines = {
        "command": _quoted(shlex.join(program.argv())),
        "directory": _quoted(working_folder()),
        "autostart": "false",
        "autorestart": "true",
        "startsecs": str(program.start_seconds),
        "startretries": "20",
        "stopsignal": program.stop_signal,
        "stopwaitsecs": str(program.stop_seconds),
        "stopasgroup": group,
        "killasgroup": group,
        "redirect_stderr": "true",
        "stdout_logfile": _quoted(log_of(state, program.name)),
        "stdout_logfile_maxbytes": "20MB",
        "stdout_logfile_backups": "1",
    }
    return "\n".join([f"[program:{program.name}]", *(f"{key}={value}" for key, value in lines.items())])


def _quoted(value: str | os.PathLike[str]) -> str:
    """supervisord expands `%(…)s`."""
    return os.fspath(value).replace("%", "%%")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = _UnixConnection(self._path)
        self._connection = (host, connection)  # what `close` closes
        return connection
