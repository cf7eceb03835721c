"""Longer contexts, as transformers itself reads them."""

import json
from pathlib import Path
from typing import Any

import pytest

from preparation.yarn import extended_config

LEGACY = {"max_position_embeddings": 128, "rope_theta": 5000.0, "rope_scaling": None}
CURRENT = {"max_position_embeddings": 128, "rope_parameters": {"rope_theta": 5000.0, "rope_type": "default"}}


@pytest.mark.parametrize("config", [LEGACY, CURRENT])
@pytest.mark.parametrize("factor", [2, 4, 8, 16, 32])
def test_transformers_reads_what_was_meant(config: dict[str, Any], factor: int, tmp_path: Path) -> None:
    from transformers import AutoConfig

    extended = extended_config({**config, "model_type": "qwen2", "vocab_size": 77}, factor)
    (tmp_path / "config.json").write_text(json.dumps(extended))
    read = AutoConfig.from_pretrained(tmp_path)
    assert (read.max_position_embeddings, read.vocab_size) == (128 * factor, 77)
    rope = read.rope_parameters
    assert (rope["rope_type"], rope["factor"]) == ("yarn", float(factor))
    assert (rope["rope_theta"], rope["original_max_position_embeddings"]) == (5000.0, 128)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"rope_theta": 1.0}, "has no max_position_embeddings"),
        (LEGACY | {"max_position_embeddings": "many"}, "has no max_position_embeddings"),
        ({"max_position_embeddings": 128}, "has no rope_theta"),
        (LEGACY | {"rope_scaling": {"type": "linear", "factor": 2.0}}, "scales its positions already"),
        ({"max_position_embeddings": 8, "rope_parameters": {"rope_theta": 1.0, "rope_type": "llama3"}}, "already"),
    ],
)
def test_a_model_that_cannot_be_extended_is_named(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=rf"{said}.*take another model"):
        extended_config(config, 2)
