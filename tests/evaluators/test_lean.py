"""What a process that measures imports, and what not."""

import subprocess
import sys
from pathlib import Path

import pytest

from evaluators.lean import UNUSED
from tests.evaluators.bench import Bench, Tensors

SHOW = """
import sys
from evaluators import lean
from evaluators.__main__ import main
lean.import_libraries()
code = main(sys.argv[1:])
print(*(name for name, module in sys.modules.items() if module), file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.slow
def test_what_measuring_never_uses_is_never_imported(bench: Bench, tuned: Tensors) -> None:
    """`torch._dynamo` and SymPy come with a compiler that nobody asks for, and take longer than the rest together."""
    bench.save(tuned)
    expected, folder = bench.evaluate().lines, bench.write_job()
    done = subprocess.run(
        [sys.executable, "-c", SHOW, folder], cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    unwanted = {*UNUSED, "torch._dynamo", "torch.distributed.tensor", "sympy", "boto3"}
    assert unwanted.isdisjoint(done.stderr.split())
    assert (folder / "outputs" / "per_example.jsonl").read_bytes() == expected


@pytest.mark.slow
def test_the_compiler_can_be_imported_afterwards() -> None:
    program = "from evaluators.lean import *; import_libraries(); import torch._dynamo; print(torch._dynamo.config)"
    done = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], capture_output=True)
    assert done.returncode == 0, done.stderr
