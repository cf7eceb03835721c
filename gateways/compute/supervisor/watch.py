"""Carries out one plan: start the sandbox, hold it to its limits, and record one end."""

import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from select import select
from typing import Any, Protocol

from gateways.compute.runs import Plan, Run, State
from gateways.compute.supervisor.log import RollingLog
from gateways.compute.supervisor.output import ExcessError, check_output, make_readable
from gateways.compute.supervisor.verdict import (
    CRASHED,
    FINISHED,
    LOST,
    OUT_OF_MEMORY,
    OUTPUT_TOO_LARGE,
    REFUSED,
    TIME_UP,
    RefusedError,
    Verdict,
)

TICK_SECONDS = 0.1
OUTPUT_SECONDS = 0.5
"""Pause between two looks at the output."""
MEMORY_SECONDS = 0.5
"""Pause between two looks at the memory, where the kernel holds the limit."""
LAUNCH_SECONDS = 60.0
"""For everything before the entry point runs."""
LOG_BYTES_PER_TICK = 1 << 21
"""Who writes faster waits: a flood costs its own time, not ours."""


class Sandbox(Protocol):
    """A sandboxed process, as one driver has it."""

    is_started: bool

    @property
    def trace(self) -> dict[str, Any]:
        """How to find what is left of it after our death."""

    @property
    def log_source(self) -> int | None:
        """Readable when there is something for the log."""

    @property
    def event_source(self) -> int | None:
        """Readable when `poll` may have news."""

    @property
    def needs_memory_watch(self) -> bool:
        """Whether nobody but us holds it to its memory limit."""

    def launch(self) -> None:
        """Raises RefusedError."""

    def read_log(self, size: int) -> bytes:
        """What it has written, if anything; never waits."""

    def poll(self) -> Verdict | None:
        """How it ended, once it has. Raises RefusedError."""

    def memory_bytes(self) -> int:
        """In use now."""

    def kill(self) -> None:
        """End it and all that belongs to it; returns when nothing of it runs."""


def sandbox_of(plan: Plan, name: str) -> Sandbox:
    if plan.driver == "bubblewrap":
        from gateways.compute.supervisor.bubblewrap import BubblewrapSandbox

        return BubblewrapSandbox(plan, name)
    from gateways.compute.supervisor.container import ContainerSandbox

    return ContainerSandbox(plan)


def group_name(run: Run) -> str:
    """Name of the run's control group: unique on this machine."""
    return f"god-{sha256(str(run.folder).encode()).hexdigest()[:16]}"


class Watch:
    """One run under one supervisor, which holds the run's lock."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._plan = run.plan()
        state = run.state()
        assert state is not None
        self._state: State = state
        self._log = RollingLog(run.log, self._plan.log_bytes)
        self._log_budget = 0.0
        self._deadline = time.monotonic() + LAUNCH_SECONDS
        self._next_output = self._next_memory = self._next_tick = 0.0
        self._peak_memory = 0

    def carry_out(self) -> None:
        sandbox = sandbox_of(self._plan, group_name(self._run))
        try:
            self._prepare()
            verdict = self._until_the_end(sandbox)
        except RefusedError as e:
            verdict = Verdict(REFUSED, f"{e} {self._log.last_line()}".strip())
        finally:
            sandbox.kill()
        self._drain_log(sandbox)
        self._close(self._final(verdict))

    def _prepare(self) -> None:
        for line in self._plan.notices:
            self._log.notice(line)
        self._run.output.mkdir(exist_ok=True)
        if self._plan.output_owner is not None:
            os.chown(self._run.output, self._plan.output_owner, self._plan.output_owner)

    def _until_the_end(self, sandbox: Sandbox) -> Verdict:
        self._record(sandbox=sandbox.trace)
        sandbox.launch()
        while True:
            self._wait(sandbox)
            verdict = sandbox.poll()
            if sandbox.is_started and self._state.started_at is None:
                self._deadline = time.monotonic() + self._plan.seconds
                self._record(started_at=_now())
            verdict = verdict or self._breach(sandbox)
            if verdict is not None:
                return verdict

    def _wait(self, sandbox: Sandbox) -> None:
        """Until something happens or a tick has passed; pass on the log at the pace that we allow."""
        now = time.monotonic()
        if now >= self._next_tick:
            self._next_tick, self._log_budget = now + TICK_SECONDS, LOG_BYTES_PER_TICK
        log = sandbox.log_source if self._log_budget > 0 else None
        sources = [source for source in (log, sandbox.event_source) if source is not None]
        select(sources, [], [], max(0.0, min(self._next_tick, self._deadline) - now))
        if log is not None:
            self._log_budget -= self._pass_on(sandbox)

    def _pass_on(self, sandbox: Sandbox) -> int:
        data = sandbox.read_log(1 << 16)
        if data:
            self._log.write(data)
        return len(data)

    def _drain_log(self, sandbox: Sandbox) -> None:
        passed = 0
        while passed < LOG_BYTES_PER_TICK and (size := self._pass_on(sandbox)):
            passed += size

    def _breach(self, sandbox: Sandbox) -> Verdict | None:
        """The limit that was met, if any."""
        now = time.monotonic()
        if now >= self._deadline:
            return self._out_of_time()
        if self._run.is_asked_to_stop:
            return Verdict(LOST, "stopped on request")
        if now >= self._next_memory:
            self._next_memory = now + (TICK_SECONDS if sandbox.needs_memory_watch else MEMORY_SECONDS)
            self._peak_memory = max(self._peak_memory, sandbox.memory_bytes())
            if sandbox.needs_memory_watch and self._peak_memory > self._plan.memory_bytes:
                return Verdict(OUT_OF_MEMORY, f"memory went beyond {self._plan.memory_bytes} bytes")
        return self._excess() if now >= self._next_output else None

    def _out_of_time(self) -> Verdict:
        if self._state.started_at is None:
            return Verdict(REFUSED, f"the entry point was not started within {LAUNCH_SECONDS:.0f} s")
        return Verdict(TIME_UP, f"stopped after {self._plan.seconds:g} s")

    def _excess(self) -> Verdict | None:
        begun = time.monotonic()
        try:
            check_output(self._run.output, self._plan.output_bytes)
        except ExcessError as e:
            return Verdict(OUTPUT_TOO_LARGE, str(e))
        finally:
            now = time.monotonic()
            self._next_output = now + max(OUTPUT_SECONDS, 10 * (now - begun))
        return None

    def _final(self, verdict: Verdict) -> Verdict:
        """An end of the miner's own making yields to an output that is too large."""
        make_readable(self._run.output)
        if verdict.ending in (FINISHED, CRASHED, TIME_UP):
            verdict = self._excess() or verdict
        return replace(verdict, peak_memory_bytes=max(verdict.peak_memory_bytes, self._peak_memory))

    def _close(self, verdict: Verdict) -> None:
        self._log.close()
        self._record(
            ended_at=_now(),
            ending=verdict.ending,
            detail=verdict.detail,
            exit_code=verdict.exit_code,
            peak_memory_bytes=verdict.peak_memory_bytes or None,
        )

    def _record(self, **changes: Any) -> None:
        self._state = replace(self._state, **changes)
        self._run.write_state(self._state)


def _now() -> str:
    return datetime.now(UTC).isoformat()
