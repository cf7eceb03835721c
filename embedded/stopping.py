"""`god down`: everything that `god up` started, and everything that was started below it."""

import time

from core.errors import GodError
from embedded import processes
from embedded.addresses import use_services
from embedded.programs import WORKER_PREFIX
from embedded.state import State
from embedded.supervisor import Supervisor
from gateways.settings import load_settings

SHUTDOWN_SECONDS = 5.0


def down(state: State) -> int:
    """Stop workers, flow runs, sandboxes and servers; return how many processes there were.

    Raises GodError when something cannot be ended.
    """
    if not state.folder.exists():
        return 0
    with state.locked(lambda: None):
        supervisor = Supervisor(state)
        before = len(processes.marked(state))
        supervisor.stop([name for name in supervisor.processes() if name.startswith(WORKER_PREFIX)])
        processes.end(processes.of_flow_runs(state))
        _stop_sandboxes(state)
        halt(state, supervisor)
        processes.end(processes.marked(state))
        if left := processes.marked(state):
            raise GodError(f"still running: {', '.join(f'{p.name()} ({p.pid})' for p in left)}; end them by hand")
        return before


def halt(state: State, supervisor: Supervisor) -> None:
    """Stop workers, then servers, then supervisord; whatever still lives of them is killed. Flow runs go on."""
    names = sorted(supervisor.processes(), key=lambda name: not name.startswith(WORKER_PREFIX))
    supervisor.stop(names)
    supervisor.shut_down()
    deadline = time.monotonic() + SHUTDOWN_SECONDS
    while supervisor.processes() and time.monotonic() < deadline:
        time.sleep(0.05)
    processes.end(processes.services(state))


def _stop_sandboxes(state: State) -> None:
    """Container runs outlive whoever started them, on purpose; the engine's do not even carry our mark."""
    from gateways.compute.local import LocalCompute

    use_services(state)
    settings = load_settings()
    compute = LocalCompute(settings.compute, settings.state / "compute")
    for name in compute.names():
        compute.stop(name)
