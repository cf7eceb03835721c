"""Weight settings and the record of events, in memory."""

from collections.abc import Mapping
from typing import Any

from core.chain import WeightsReceipt
from core.errors import StaleStateError
from core.tournament import WeightSetting
from gateways.memory.world import World, changed, transactional


@transactional
class MemoryWeights:
    def __init__(self, world: World) -> None:
        self._world = world

    def plan(self, setting: WeightSetting) -> WeightSetting:
        for there in self._world.weight_settings.values():
            if there.evidence.sha256 == setting.evidence.sha256:
                return there
        if setting.setting_id in self._world.weight_settings:
            raise StaleStateError(f"weight setting {setting.setting_id} is there with other evidence")
        self._world.weight_settings[setting.setting_id] = setting
        self._world.log(f"weights:{setting.setting_id}", "planned", policy=setting.policy, weights=setting.weights)
        return setting

    def confirm(self, setting_id: str, receipt: WeightsReceipt) -> None:
        setting = self._world.weight_settings.get(setting_id)
        if setting is None:
            raise StaleStateError(f"there is no weight setting {setting_id}; plan it first")
        if setting.block_number is None:
            self._world.weight_settings[setting_id] = changed(setting, block_number=receipt.block_number)
            self._world.log(f"weights:{setting_id}", "confirmed", block_number=receipt.block_number)

    def latest(self) -> WeightSetting | None:
        return next(reversed(self._world.weight_settings.values()), None)


@transactional
class MemoryEvents:
    def __init__(self, world: World) -> None:
        self._world = world

    def since(self, event_id: int, limit: int = 1000) -> list[Mapping[str, Any]]:
        return [dict(event) for event in self._world.events[max(event_id, 0) :][:limit]]
