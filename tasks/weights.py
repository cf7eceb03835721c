"""Weight settings and the evidence they follow from."""

from prefect import task

from core.artifacts import ArtifactKind, ArtifactRef
from core.chain import WeightsReceipt
from core.tournament import WeightSetting
from gateways.wiring import ports
from tasks.retrying import EFFECT


@task(task_run_name="put-evidence", **EFFECT)
def put_evidence(document: bytes) -> ArtifactRef:
    return ports().artifacts.put_bytes(ArtifactKind.EVIDENCE, document)


@task(task_run_name="get-evidence-{ref.sha256}", **EFFECT)
def get_evidence(ref: ArtifactRef) -> bytes:
    return ports().artifacts.get_bytes(ref)


@task(**EFFECT)
def latest_setting() -> WeightSetting | None:
    return ports().weights.latest()


@task(task_run_name="plan-{setting.setting_id}", **EFFECT)
def plan_setting(setting: WeightSetting) -> WeightSetting:
    return ports().weights.plan(setting)


@task(task_run_name="confirm-{setting_id}", **EFFECT)
def confirm_setting(setting_id: str, receipt: WeightsReceipt) -> None:
    ports().weights.confirm(setting_id, receipt)
