"""`god up`: from whatever is there to everything running; interrupted anywhere, it can simply be run again."""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from core.errors import PrerequisiteError
from embedded import postgres, processes
from embedded.addresses import DSN, PREFECT_API, SETTING, Addresses, Server, settle, use_services
from embedded.deployed import deployed_digest, digest_of
from embedded.health import is_well
from embedded.programs import WORKER_PREFIX, Program, environment, log_of, programs
from embedded.state import State
from embedded.stopping import halt
from embedded.supervisor import RUNNING, STARTING, Supervisor
from gateways.settings import load_settings

LEAST_FREE_BYTES = 1 << 30
PATIENCE_SECONDS = 180.0
"""Until a service must be well; the first start of Prefect makes its database."""
RETRY_SECONDS = 8.0
"""For a given service that does not answer, and for one that supervisord has to start again and again."""
ROTATE_BYTES = 64 << 20


class Progress(Protocol):
    """Whoever is told what happens."""

    def says(self, line: str) -> None: ...

    def begins(self, step: str) -> None: ...

    def done(self, step: str, remark: str) -> None: ...


def up(state: State, schedules: bool, progress: Progress) -> Addresses:
    """Start what is not running, bring database, bucket, slots and deployments up to date; return the addresses.

    Args:
        schedules: Switch on all schedules of the deployments, not only the sweep's.

    Raises PrerequisiteError with what to do.
    """
    _check_machine(state)
    with state.locked(lambda: progress.says("another `god up` or `god down` is at work here: waiting for it")):
        supervisor = Supervisor(state)
        addresses, wanted = _launch(state, supervisor, progress)
        use_services(state)
        start = _Start(state, supervisor, addresses, progress)
        start.databases()
        supervisor.start([program.name for program in wanted])
        start.everything(schedules, [p.name for p in wanted if p.name.startswith(WORKER_PREFIX)])
        return addresses


def _check_machine(state: State) -> None:
    if shutil.which("bwrap") is None:
        raise PrerequisiteError("bubblewrap is missing: run `apt-get install bubblewrap` as root")
    try:
        state.make()
    except OSError as error:
        raise PrerequisiteError(
            f"cannot write to {state.folder}: {error.strerror}; name another by GOD_STATE"
        ) from error
    free = shutil.disk_usage(state.folder).free
    if free < LEAST_FREE_BYTES:
        raise PrerequisiteError(
            f"{free >> 20} MiB are free at {state.folder}, 1024 are needed: make room, or move it by GOD_STATE"
        )


def _launch(state: State, supervisor: Supervisor, progress: Progress) -> tuple[Addresses, list[Program]]:
    """A supervisord with the configuration of now; one with another is replaced."""
    here = supervisor.processes()
    if not here:
        processes.end(processes.services(state))
    busy = frozenset(server for server in Server if server in here and here[server].state in (RUNNING, STARTING))
    addresses = settle(state, os.environ, busy, progress.says)
    wanted, variables = programs(state, addresses), environment(state, addresses)
    if not supervisor.has(wanted, variables):
        if here:
            progress.says("the configuration has changed: starting everything anew")
            halt(state, supervisor)
        if Server.POSTGRES in addresses.embedded:
            postgres.prepare(state, addresses.kept.database_password)
        _rotate(state)
        supervisor.launch(wanted, variables)
    return addresses, wanted


def _rotate(state: State) -> None:
    """Of the one log that supervisord does not write, and so does not rotate."""
    log = log_of(state, "flow-runs")
    if log.exists() and log.stat().st_size > ROTATE_BYTES:
        log.replace(log.with_suffix(".log.1"))


@dataclass(frozen=True)
class _Start:
    """What comes after the launch: waiting for the services and bringing them up to date, side by side."""

    state: State
    supervisor: Supervisor
    addresses: Addresses
    progress: Progress

    def databases(self) -> None:
        """First of all, for Prefect's server may keep its own there."""
        if Server.POSTGRES in self.addresses.embedded:
            self.supervisor.start([Server.POSTGRES.value])
            self._wait_for(Server.POSTGRES)
            postgres.create_databases(self.addresses.environment[DSN])

    def everything(self, schedules: bool, workers: list[str]) -> None:
        with ThreadPoolExecutor() as threads:
            steps = [threads.submit(self._database), threads.submit(self._bucket)]
            steps += [threads.submit(self._deployments, schedules)]
            steps += [threads.submit(self._wait_for, worker) for worker in workers]
        for step in steps:
            step.result()

    def _database(self) -> None:
        from gateways.postgres.migrate import migrate
        from gateways.wiring import connect

        if Server.POSTGRES not in self.addresses.embedded:
            self._wait_for(Server.POSTGRES)
        self.progress.begins("tables")
        dsn = self.addresses.environment[DSN]
        applied = migrate(dsn)
        ports = connect(load_settings())
        slots = ports.compute.slots()
        ports.leases.register_slots(slots)
        self.progress.done("tables", f"{len(applied)} migrations applied, {len(slots)} slots")

    def _bucket(self) -> None:
        from gateways.s3 import S3Artifacts

        self._wait_for(Server.S3)
        self.progress.begins("bucket")
        settings = load_settings().artifacts
        S3Artifacts(settings).ensure_bucket()
        self.progress.done("bucket", settings.bucket)

    def _deployments(self, schedules: bool) -> None:
        self._wait_for(Server.PREFECT)
        self.progress.begins("deployments")
        compute = load_settings().compute
        slots = len(compute.gpus) or compute.slots
        digest = digest_of(slots, schedules)
        if deployed_digest(self.addresses.environment[PREFECT_API]) == digest:
            self.progress.done("deployments", "as they were")
            return
        from embedded.deploying import deploy

        deploy(slots, schedules, digest)
        self.progress.done("deployments", "deployed")

    def _wait_for(self, name: str) -> None:
        """Until a service is well. Raises PrerequisiteError when it does not start."""
        self.progress.begins(name)
        began = time.monotonic()
        while True:
            process = self.supervisor.processes().get(name)
            if is_well(name, self.addresses.environment, since=process.started if process else 0):
                self.progress.done(name, f"{time.monotonic() - began:.1f} s" if process else "given")
                return
            waited = time.monotonic() - began
            patience = RETRY_SECONDS if process is None or process.gives_up else PATIENCE_SECONDS
            if waited > patience:
                raise PrerequisiteError(self._why_not(name, ours=process is not None))
            time.sleep(0.25)

    def _why_not(self, name: str, ours: bool) -> str:
        if not ours:
            setting = SETTING[Server(name)]
            return f"{name} does not answer at the address that {setting} gives: start it, or unset {setting}"
        log = log_of(self.state, name)
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        return f"{name} does not start: {lines[-1] if lines else 'it wrote nothing'} (more in {log})"
