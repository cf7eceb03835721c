"""Weight settings: what was derived from which evidence, and what the chain said."""

from core.chain import WeightsReceipt
from core.errors import StaleStateError
from core.tournament import WeightSetting
from gateways.postgres.database import Database, jsonb, read
from gateways.postgres.events import log
from gateways.postgres.queries import queries

_SQL = queries("weights")


class PostgresWeights:
    def __init__(self, database: Database) -> None:
        self._database = database

    def plan(self, setting: WeightSetting) -> WeightSetting:
        values = {"evidence": jsonb(setting.evidence), "weights": jsonb(setting.weights)}
        with self._database.transaction() as transaction:
            row = transaction.execute(_SQL["plan"], setting.model_dump() | values).fetchone()
            if row is None:
                return self._same_evidence(setting)
            log(transaction, f"weights:{setting.setting_id}", "planned", policy=setting.policy, weights=setting.weights)
            return read(WeightSetting, row)

    def confirm(self, setting_id: str, receipt: WeightsReceipt) -> None:
        values = {"setting_id": setting_id, "block_number": receipt.block_number, "receipt": jsonb(receipt)}
        with self._database.transaction() as transaction:
            if transaction.execute(_SQL["confirm"], values).rowcount:
                log(transaction, f"weights:{setting_id}", "confirmed", block_number=receipt.block_number)
            elif not transaction.execute(_SQL["is_confirmed"], values).rowcount:
                raise StaleStateError(f"there is no weight setting {setting_id}; plan it first")

    def latest(self) -> WeightSetting | None:
        with self._database.transaction() as transaction:
            row = transaction.execute(_SQL["latest"]).fetchone()
        return read(WeightSetting, row) if row else None

    def _same_evidence(self, setting: WeightSetting) -> WeightSetting:
        with self._database.transaction() as transaction:
            row = transaction.execute(_SQL["same_evidence"], {"sha256": setting.evidence.sha256}).fetchone()
        if row is None:
            raise StaleStateError(f"weight setting {setting.setting_id} is there with other evidence")
        return read(WeightSetting, row)
