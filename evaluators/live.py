"""The live model: samples in streams in, last hidden states out."""

from collections.abc import Sequence
from typing import Any

import torch

from evaluators import tiles
from evaluators.head import Head, check_head, head_of
from evaluators.loading import Base
from evaluators.machine import Device
from evaluators.packing import Pack, TokenSequence, pack
from evaluators.weights import Weights

PROBE_TOKENS = (37, 21)
_STRETCHED = frozenset({"dynamic", "longrope"})
"""Rotary embeddings that depend on the longest sequence in sight."""


class LiveModel:
    def __init__(self, base: Base, device: Device) -> None:
        self._base, self._device, self.tile = base, device, device.tile
        self.packed = False
        self.weights = Weights(base, device, self._built)
        with torch.inference_mode():
            self.packed = works_on_tokens(base) and self._try_packed()
            self._check_head()

    @property
    def head(self) -> Head:
        return head_of(self.model, self.tile)

    @property
    def model(self) -> Any:
        return self.weights.model

    def hidden(self, content: Pack) -> torch.Tensor:
        """Last hidden states at the pack's predictors, (predictors, hidden size)."""
        states = self._read(self.model.base_model, content)
        return states.index_select(0, self._ids(content.predictors))

    def hidden_alone(self, sequence: TokenSequence) -> torch.Tensor:
        """The same for one sequence, unpadded, by the architecture's own attention."""
        states = self.model.base_model(input_ids=self._ids(sequence.tokens)[None], use_cache=False)[0][0]
        return states.index_select(0, self._ids([position - 1 for position in sequence.counted]))

    def _built(self, _model: Any) -> None:
        if self.packed:
            self._become_packed()

    def _become_packed(self) -> None:
        self.model.set_attn_implementation(tiles.ATTENTION)
        tiles.tile_linears(self.model.base_model, self.tile)

    def _read(self, module: Any, content: Pack) -> torch.Tensor:
        with tiles.reading(content):
            outputs = module(
                input_ids=self._ids(content.tokens)[None],
                position_ids=self._ids(content.positions)[None],
                use_cache=False,
            )
        states: torch.Tensor = outputs[0][0]
        return states

    def _ids(self, numbers: Sequence[int]) -> torch.Tensor:
        return torch.tensor(numbers, dtype=torch.long, device=self._device.device)

    def _try_packed(self) -> bool:
        """Whether this architecture gives a sequence the same bytes alone and in company, tried on two sequences."""
        before = self.model.config._attn_implementation
        try:
            self._become_packed()
            if self._same_in_company():
                return True
        except (tiles.UnsupportedError, ValueError, TypeError):
            pass
        tiles.untile_linears(self.model.base_model)
        self.model.set_attn_implementation(before)
        return False

    def _same_in_company(self) -> bool:
        """Two sequences in turn, over three tiles: the first has its bytes wherever it stands."""
        samples = [(sequence,) for sequence in self._probes()]
        alone = self.hidden(pack(samples, [0], self.tile))
        times = 3 * self.tile // sum(PROBE_TOKENS) + 1
        joined = self.hidden(pack(samples, [1, 0] * times, self.tile)).chunk(times)
        return all(torch.equal(both[-len(alone) :], alone) for both in joined)

    def _check_head(self) -> None:
        """Our log-probabilities are those of the architecture's own logits, tried on one sequence."""
        probe, count = self._probes()[0], 1
        content = pack([(probe,)], [0], self.tile)
        hidden = (self.hidden(content) if self.packed else self.hidden_alone(probe))[:count]
        logits = self._read(self.model, content) if self.packed else self._alone(probe)
        check_head(self.head, hidden, logits[:count], type(self.model).__name__)

    def _alone(self, probe: TokenSequence) -> torch.Tensor:
        logits: torch.Tensor = self.model(input_ids=self._ids(probe.tokens)[None], use_cache=False).logits[0]
        return logits

    def _probes(self) -> list[TokenSequence]:
        most, vocabulary = self._base.positions or max(PROBE_TOKENS), self.model.config.get_text_config().vocab_size
        lengths = [min(length, most) for length in PROBE_TOKENS]
        return [
            TokenSequence(tuple(97 * at * length % vocabulary for at in range(length)), tuple(range(1, length)))
            for length in lengths
        ]


def works_on_tokens(base: Base) -> bool:
    """Whether every weight works on each token alone: linear layers, embeddings and vectors, no mixtures of experts."""
    rope = getattr(base.config, "rope_parameters", None) or {}
    stretched = rope.get("rope_type") in _STRETCHED if isinstance(rope, dict) else True
    plain = (torch.nn.Linear, torch.nn.Embedding)
    return not stretched and all(
        parameter.dim() < 2 or type(module) in plain or isinstance(module, torch.nn.Embedding)
        for module in base.skeleton.modules()
        for parameter in module.parameters(recurse=False)
    )
