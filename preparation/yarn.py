"""A longer context for a base model by YaRN: its config alone changes.

Source: Peng et al., "YaRN: Efficient Context Window Extension of Large Language Models", 2023.
"""

from collections.abc import Mapping
from typing import Any


def extended_config(config: Mapping[str, Any], factor: int) -> dict[str, Any]:
    """The `config.json` of the same model with a context `factor` times as long.

    Raises ValueError for a model whose positions are not rotary, or are scaled already.
    """
    positions = config.get("max_position_embeddings")
    if type(positions) is not int or positions < 1:
        raise ValueError("its config.json has no max_position_embeddings: YaRN cannot extend it; take another model")
    given = config.get("rope_parameters") or config.get("rope_scaling") or {}
    rope = {**given, **({"rope_theta": config["rope_theta"]} if "rope_theta" in config else {})}
    if "rope_theta" not in rope:
        raise ValueError("its config.json has no rope_theta: YaRN extends rotary positions only; take another model")
    if rope.get("rope_type", rope.get("type", "default")) != "default":
        raise ValueError("its config.json scales its positions already; take another model, or no YaRN")
    scaled = {"factor": float(factor), "original_max_position_embeddings": positions}
    changes: dict[str, Any] = {
        "max_position_embeddings": positions * factor,
        "rope_scaling": {"type": "yarn", "rope_type": "yarn", **scaled},
    }
    if "rope_parameters" in config:
        changes["rope_parameters"] = {**rope, "rope_type": "yarn", **scaled}
        del changes["rope_scaling"]
    return {**config, **changes}
