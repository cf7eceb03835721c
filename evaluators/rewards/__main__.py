"""`python -m evaluators.rewards /job`: try a challenge's reward functions; see core.rewards.validation for the job.

Exit code 0: there is a report with a verdict for each. Otherwise it is ours, the reason in one line on stderr.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from core.errors import GodError, PrerequisiteError
from core.rewards.validation import ValidationReport, ValidationSpec, Verdict
from core.value import canonical_json
from evaluators.rewards.sandbox import Sandbox
from evaluators.rewards.validation import Row, verdict_on


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
    rows, verdicts = _rows(Path(spec.rows)), list[Verdict]()
    with Sandbox() as sandbox:
        for function in spec.dataset_type.reward_functions:
            verdicts.append(verdict_on(function, spec.dataset_type, rows, sandbox))
            print(verdicts[-1], flush=True)
            _write(ValidationReport(verdicts=tuple(verdicts), confinement=sandbox.confinement), Path(spec.outputs))


def _write(report: ValidationReport, outputs: Path) -> None:
    outputs.mkdir(parents=True, exist_ok=True)
    new = outputs / "report.new"
    new.write_bytes(canonical_json(report))
    new.replace(outputs / "report.json")


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
