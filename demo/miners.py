"""Who enters the demo's tournament: the template as it is, and what can be made of it.

`champion` is the code that the first tournament starts with.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.errors import PrerequisiteError
from core.ids import Coldkey, Hotkey
from demo.hotkeys import coldkey, hotkey

SCRIPTS = Path(__file__).parent / "scripts"
TEMPLATE = Path(__file__).parent.parent / "miner_templates" / "text"
SCRIPT = "train.py"


@dataclass(frozen=True)
class Miner:
    name: str
    does: str
    """In a few words, for people."""
    edit: Callable[[Path], None]
    """Makes a copy of the template this miner's."""
    is_late: bool = False
    """Enters in a later block than everybody before it."""

    @property
    def hotkey(self) -> Hotkey:
        return hotkey(self.name)

    @property
    def coldkey(self) -> Coldkey:
        return coldkey(self.name)


def as_it_is(folder: Path) -> None:
    """Nothing is changed."""


def with_changes(*changes: tuple[str, str]) -> Callable[[Path], None]:
    """The template with pieces of its text changed, each of which must stand in its Python exactly once."""

    def edit(folder: Path) -> None:
        for old, new in changes:
            files = [path for path in sorted(folder.rglob("*.py")) if old in path.read_text()]
            if len(files) != 1 or (text := files[0].read_text()).count(old) != 1:
                raise PrerequisiteError(f"demo/miners.py changes {old!r}, which {TEMPLATE} does not have once")
            files[0].write_text(text.replace(old, new))

    return edit


def own_script(name: str) -> Callable[[Path], None]:
    """A script of the demo's in place of the template's."""

    def edit(folder: Path) -> None:
        shutil.copyfile(SCRIPTS / name, folder / SCRIPT)

    return edit


CHAMPION = Miner(
    "veteran",
    "defends the title: learns slowly and stops at half time",
    with_changes(
        ("LEARNING_RATE = 5e-5", "LEARNING_RATE = 1e-5"),
        ("MARGIN_SHARE, MARGIN_SECONDS = 0.03, (1.0, 60.0)", "MARGIN_SHARE, MARGIN_SECONDS = 0.5, (1.0, 36000.0)"),
    ),
)
STEADY = Miner("steady", "the template as it is", as_it_is)
COPYCAT = Miner("copycat", "the same code, entered later", as_it_is, is_late=True)
SPY = Miner("spy", "looks for the test set, the host's files, others' output and the network", own_script("spy.py"))
MINERS = (
    CHAMPION,
    STEADY,
    Miner("hasty", "a worse recipe", with_changes(("LEARNING_RATE = 5e-5", "LEARNING_RATE = 1e-6"))),
    Miner(
        "overtime",
        "trains past its time",
        with_changes(
            (
                "return 0.0 if self.terminated else self.seconds - self.margin - self.elapsed()",
                "return 3 * self.seconds - self.elapsed()",
            )
        ),
    ),
    Miner("crasher", "dies of its own bug", own_script("crasher.py")),
    Miner("mirror", "hands the base model back", own_script("mirror.py")),
    SPY,
    COPYCAT,
)
"""In the order in which they enter."""

NAMES = {miner.hotkey: miner.name for miner in MINERS}
