"""`python -m gateways.compute.supervisor <run folder> <descriptor>`: take the run, carry it out, record its one end.

It forks away from whoever started it, and closes the descriptor as soon as the run is its own (or somebody else's).
"""

import os
import sys
import traceback
from pathlib import Path

from gateways.compute.runs import Run, State
from gateways.compute.supervisor.watch import Watch


def main(folder: str, handshake: str) -> None:
    if os.fork():
        os._exit(0)
    run = Run(Path(folder))
    with run.locked() as ours:
        if ours and run.state() is None:
            run.write_state(State(supervisor=os.getpid()))
            os.close(int(handshake))
            Watch(run).carry_out()


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2])
    except Exception:
        traceback.print_exc()
        sys.exit(1)
