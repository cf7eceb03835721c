"""torch and transformers imported without what measuring never uses: half of the time that a process needs to start.

transformers loads packages for being installed (SciPy for object detection; accelerate, and with it boto3), torch's
distributed tensors, and torch's compiler, for decorators that say not to compile. Only for a process that measures
and does nothing else.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}
"""Set before the libraries are imported; the last one makes cuBLAS deterministic."""
UNUSED = ("accelerate", "PIL", "pandas", "peft", "scipy", "sklearn", "torchaudio", "torchvision", "trl")
COMPILER = "torch._dynamo"


def import_libraries() -> None:
    """Import both. What is in `UNUSED` cannot be imported in this process any more."""
    os.environ.update(OFFLINE)
    sys.modules.update(dict.fromkeys(UNUSED))  # type: ignore[arg-type]  # None: find_spec and import say "not installed"
    import torch.distributed

    torch.distributed.is_available = lambda: False
    with _without_compiler():
        import transformers.generation.utils
        import transformers.modeling_utils  # noqa: F401


@contextmanager
def _without_compiler() -> Iterator[None]:
    """Decorators about compiling do nothing in modules imported within the block; afterwards all is as ever."""
    import torch.compiler

    disable = torch.compiler.disable
    torch.compiler.disable = _undecorated
    torch._dynamo = sys.modules[COMPILER] = _stand_in(Path(torch.__file__).parent / "_dynamo")
    try:
        yield
    finally:
        torch.compiler.disable = disable
        del torch._dynamo, sys.modules[COMPILER]


def _stand_in(folder: Path) -> ModuleType:
    """The compiler's package without what it imports at once; its modules can be imported."""
    package = ModuleType(COMPILER)
    package.__path__ = [str(folder)]
    package.__spec__ = ModuleSpec(COMPILER, None, is_package=True)
    vars(package).update(dict.fromkeys(("disable", "allow_in_graph", "assume_constant_result"), _undecorated))
    return package


def _undecorated(function: Callable[..., Any] | None = None, *_: Any, **__: Any) -> Any:
    return function if function is not None else _undecorated
