"""`python -m demo`: set up, play, show, and stop again. `make demo` runs it."""

import argparse
import os
import signal
import sys
import time

from rich.console import Console

from core.challenge import ChallengeKind
from core.errors import GodError, PrerequisiteError
from demo.stage import alone
from embedded.state import State, this_state

DRIVERS = {"bubblewrap": "bubblewrap", "docker": "containers"}
KINDS = {kind.name.lower(): kind for kind in ChallengeKind if kind is not ChallengeKind.IMAGE}
PLAIN_WIDTH = 140
"""Columns of the report where there is no terminal."""
FAILED, PREREQUISITE, INTERRUPTED = 1, 2, 130


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="Play a whole tournament on this machine: from miners' repository links to weights.",
    )
    parser.add_argument("--keep", action="store_true", help="leave the services up for browsing")
    parser.add_argument(
        "--compute", choices=DRIVERS, default="bubblewrap", help="what the miners' code runs in (default: %(default)s)"
    )
    parser.add_argument(
        "--kinds",
        type=kinds_of,
        default=(),
        metavar="KIND,…",
        help=f"kinds of challenges, the first for the group round: {','.join(KINDS)}; "
        "instruct then counts the KL to the base (default: instruct alone, without it)",
    )
    return parser.parse_args(arguments)


def kinds_of(text: str) -> tuple[ChallengeKind, ...]:
    """Raises ArgumentTypeError, which argparse shows."""
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in KINDS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is no kind of challenge; there are {', '.join(KINDS)}")
    return tuple(KINDS[name] for name in dict.fromkeys(names))


def main() -> int:
    told, began = parse(), time.monotonic()
    console = Console()
    if not console.is_terminal:
        console = Console(width=PLAIN_WIDTH)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    state = this_state()
    os.environ["GOD_STATE"] = str(state.folder)
    try:
        with alone(state):
            return _play(state, told, console, began)
    except GodError as error:
        Console(stderr=True).print(f"demo: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        return PREREQUISITE if isinstance(error, PrerequisiteError) else FAILED


def _play(state: State, told: argparse.Namespace, console: Console, began: float) -> int:
    """Whatever happens, the services are stopped, unless they are to be kept."""
    from demo.run import run, stop

    is_kept = told.keep
    try:
        return 0 if run(state, DRIVERS[told.compute], console, began, told.kinds) else FAILED
    except KeyboardInterrupt:
        is_kept = False
        console.print("Interrupted. The next `make demo` goes on from here.")
        return INTERRUPTED
    finally:
        if is_kept:
            console.print("The services stay up; `god down` stops them.")
        else:
            stop(state, console)


if __name__ == "__main__":
    sys.exit(main())
