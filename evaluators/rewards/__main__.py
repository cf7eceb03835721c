"""`python -m evaluators.rewards /job`: try a challenge's reward functions; see core.rewards.validation for the job.

Exit code 0: there is a report with a verdict for each. Otherwise it is ours, the reason in one line on stderr.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from core.errors import GodError, PrerequisiteError
from core.rewards.validation import ValidationReport, ValidationSpec
from core.value import canonical_json
from evaluators.rewards.sandbox import Sandbox
from evaluators.rewards.validation import Row, validate


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        return _ours("usage: python -m evaluators.rewards <job folder>")
    try:
        _answer(Path(arguments[0]))
    except (GodError, OSError, ValidationError) as e:
        return _ours(f"{type(e).__name__}: {e}")
    return 0


def _answer(folder: Path) -> None:
    spec = ValidationSpec.model_validate_json((folder / "spec.json").read_bytes())
    with Sandbox() as sandbox:
        verdicts = validate(spec.dataset_type, _rows(Path(spec.rows)), sandbox)
        report = ValidationReport(verdicts=verdicts, confinement=sandbox.confinement)
    outputs = Path(spec.outputs)
    outputs.mkdir(parents=True, exist_ok=True)
    (outputs / "report.json").write_bytes(canonical_json(report))
    print(*verdicts, sep="\n", flush=True)


def _rows(path: Path) -> list[Row]:
    try:
        rows = json.loads(path.read_bytes())
    except ValueError as e:
        raise PrerequisiteError(f"the sample rows {path} are not JSON: {e}") from e
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise PrerequisiteError(f"the sample rows {path} are not a JSON list of rows")
    return rows


def _ours(message: str) -> int:
    print(" ".join(message.split()), file=sys.stderr, flush=True)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
