"""`god reevaluate`, `god weights …`: measure again, and derive the weights again from the published evidence."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from core.errors import IntegrityError, PrerequisiteError
from core.evaluation import Evaluation, Scored
from core.ids import EvaluationId, Hotkey
from core.tournament import WeightSetting

if TYPE_CHECKING:
    from tournament.evidence import Evidence

weights_app = typer.Typer(no_args_is_help=True, help="The weights and the evidence that they follow from.")
console = Console()


def reevaluate(
    evaluation_id: Annotated[str, typer.Argument(help="A recorded evaluation, measured again from its parts.")] = "",
    model: Annotated[Path | None, typer.Option(help="Or: a local folder with a model that nobody submitted.")] = None,
    challenge: Annotated[str, typer.Option(help="With --model: the recorded challenge to measure it on.")] = "",
) -> None:
    """Measure again by the tournament's own evaluation flow, and show old beside new. Nothing is overwritten."""
    from embedded.addresses import use_services
    from embedded.state import this_state
    from gateways.wiring import ports

    if bool(evaluation_id) == bool(model and challenge):
        raise PrerequisiteError("name an evaluation, or --model FOLDER together with --challenge ID")
    use_services(this_state())
    folder = str(model.expanduser().resolve()) if model else ""
    new = _measured({"evaluation_id": evaluation_id, "model": folder, "challenge_id": challenge})
    store = ports().evaluations
    rows = [store.load(EvaluationId(evaluation_id))] if evaluation_id else []
    console.print(comparison([*rows, store.load(new)]), soft_wrap=True)


def _measured(parameters: dict[str, str]) -> EvaluationId:
    """Run the flow here; its evaluation goes to the work pool as any other."""
    from flows.reevaluation import reevaluate as flow

    with console.status("measuring; `god status` names the Prefect UI that shows how far it is"):
        return EvaluationId(flow(**parameters))


def comparison(evaluations: list[Evaluation]) -> Table:
    table = Table("evaluation", "purpose", "value", "refused", "report", title="Measured", title_justify="left")
    for evaluation in evaluations:
        outcome = evaluation.outcome
        loss = repr(outcome.value) if isinstance(outcome, Scored) else "–"
        reason = "" if outcome is None or isinstance(outcome, Scored) else outcome.reason
        report = evaluation.report.key if evaluation.report else ""
        table.add_row(evaluation.evaluation_id, evaluation.purpose, loss, Text(reason), report)
    return table


@weights_app.command()
def show() -> None:
    """The weights that were last derived, and whether the chain took them."""
    setting = _latest()
    place = f"set in block {setting.block_number}" if setting.block_number is not None else "not on the chain yet"
    console.print(weights_table(setting.weights, f"{setting.setting_id}, {place}"), soft_wrap=True)
    console.print(f"evidence: {setting.evidence.key}", highlight=False)


@weights_app.command()
def recompute(
    evidence: Annotated[Path | None, typer.Argument(help="A file; left out: the newest evidence of the store.")] = None,
) -> None:
    """Derive the weights from an evidence document alone. Exits 1 when recorded weights differ in a single digit."""
    from tournament import weights

    document, recorded = (evidence.read_bytes(), None) if evidence else _published()
    derived = weights.of(_parsed(document))
    console.print(weights_table(derived, "Weights that follow from the evidence"), soft_wrap=True)
    if recorded is not None and recorded.weights != derived:
        raise IntegrityError(f"{recorded.setting_id} records other weights than its evidence gives")
    if recorded is not None:
        console.print(f"equal to the recorded {recorded.setting_id}, to the last digit", style="green")


def _parsed(document: bytes) -> "Evidence":
    """Raises IntegrityError for bytes that are no evidence, or contradict themselves."""
    from tournament.evidence import Evidence

    try:
        return Evidence.model_validate_json(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise IntegrityError(f"this is no evidence that this version can read: {place}: {first['msg']}") from error


def _published() -> tuple[bytes, WeightSetting]:
    from gateways.wiring import ports

    setting = _latest()
    return ports().artifacts.get_bytes(setting.evidence), setting


def _latest() -> WeightSetting:
    from gateways.wiring import ports

    setting = ports().weights.latest()
    if setting is None:
        raise PrerequisiteError("no weights were ever derived; `prefect deployment run set-weights/default` does")
    return setting


def weights_table(weights: Mapping[Hotkey, str], heading: str) -> Table:
    table = Table("hotkey", "weight", title=heading, title_justify="left")
    for hotkey, weight in sorted(weights.items(), key=lambda item: item[1], reverse=True):
        table.add_row(hotkey, weight)
    return table
