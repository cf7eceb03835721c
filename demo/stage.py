"""What stands before the curtain rises: settings, the hub, the miners and their entries."""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import PrerequisiteError
from core.ids import Coldkey, Hotkey
from demo import base_model, datasets, kinds
from demo.library import modules
from demo.miners import MINERS
from demo.repositories import enter
from embedded.state import State
from gateways.local_chain import LocalChain
from gateways.settings import ChainSettings

STAKE_RAO = 1_000 * 10**9
BLOCK_SECONDS = 1.0


def folder_of(state: State) -> Path:
    """Everything of the demo's own."""
    return state.folder / "demo"


@contextmanager
def alone(state: State) -> Iterator[None]:
    """One demo at a time in a state folder. Raises PrerequisiteError when there is another one."""
    try:
        folder_of(state).mkdir(parents=True, exist_ok=True)
        file = (folder_of(state) / "lock").open("w")
    except OSError as error:
        raise PrerequisiteError(
            f"cannot write to {state.folder}: {error.strerror}; name another by GOD_STATE"
        ) from error
    with file as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PrerequisiteError(
                f"another demo is at work in {state.folder}: wait for it, or name another folder by GOD_STATE"
            ) from error
        yield


def settle_environment(state: State, driver: str) -> None:
    """The settings that the demo needs, for this process and all services; what is set already stays.

    Args:
        driver: Of `gateways.settings.ComputeSettings`.
    """
    wanted = {
        "GOD_STATE": str(state.folder),
        "GOD_HUB__FOLDER": str(folder_of(state) / "hub"),
        "GOD_REPOSITORIES__ALLOW_LOCAL": "true",
        "GOD_CHAIN__BLOCK_SECONDS": str(BLOCK_SECONDS),
        "GOD_CHAIN__WEIGHTS_RATE_LIMIT": "5",
        "GOD_COMPUTE__SLOTS": "2",
        "GOD_TOURNAMENTS__RULES": "{}",
    }
    for name, value in wanted.items():
        os.environ.setdefault(name, value)
    os.environ["GOD_COMPUTE__DRIVER"] = driver


def check_machine() -> None:
    """Raises PrerequisiteError for what only a person can mend; `god up` checks the rest."""
    if shutil.which("git") is None:
        raise PrerequisiteError("git is missing: install it, as root by `apt-get install git`")


def fill_hub(hub: Path, tell: Callable[[base_model.Progress], None]) -> bool:
    """Datasets and base model of the running Python's library; True when they had to be made."""
    recipes = (*datasets.RECIPES, *kinds.KIND_RECIPES)
    cards = [hub / "datasets" / f"{recipe.dataset_id}.json" for recipe in recipes]
    if base_model.is_made(hub) and all(card.is_file() for card in cards):
        return False
    functions = [function for module in modules() for function in module.functions]
    for recipe in datasets.RECIPES:
        datasets.write(recipe, functions, hub / "datasets")
    for recipe_of_kind in kinds.KIND_RECIPES:
        kinds.write(recipe_of_kind, functions, hub / "datasets")
    base_model.ensure(hub, tell)
    return True


def enter_miners(chain: LocalChain, settings: ChainSettings, repositories: Path) -> None:
    """Register everybody on the local chain and commit what is not committed yet, in the order of `MINERS`."""
    burn = settings.burn_hotkey
    chain.register(Hotkey(burn), Coldkey(burn), 0)
    committed = {c.hotkey: c.payload for c in chain.commitments(settings.netuid, chain.block_number())}
    newest = 0
    for miner in MINERS:
        chain.register(miner.hotkey, miner.coldkey, STAKE_RAO)
        claim = enter(miner, repositories)
        if committed.get(miner.hotkey) == claim.payload:
            continue
        if miner.is_late:
            _await_block(chain, newest + 1, settings.block_seconds)
        newest = chain.commit(miner.hotkey, claim.payload)


def _await_block(chain: LocalChain, block_number: int, block_seconds: float) -> None:
    while chain.block_number() < block_number:
        time.sleep(block_seconds / 4)
