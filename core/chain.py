"""Chain facts, as bittensor names them."""

from typing import Annotated

from pydantic import Field

from core.ids import Coldkey, Hotkey
from core.value import Frozen

RAO_PER_TAO = 1_000_000_000
U16_MAX = 65_535


class Neuron(Frozen):
    uid: Annotated[int, Field(ge=0)]
    hotkey: Hotkey
    coldkey: Coldkey
    stake_rao: Annotated[int, Field(ge=0)]


class Metagraph(Frozen):
    """Everybody registered on the subnet at one block."""

    netuid: int
    block_number: int
    neurons: tuple[Neuron, ...]


class Commitment(Frozen):
    """What a hotkey last committed on the chain; entries are commitments (see `core.tournament.EntryClaim`)."""

    hotkey: Hotkey
    payload: str
    block_number: int


class Transfer(Frozen):
    """TAO that came to an address."""

    transfer_id: str
    """The chain's own; no two transfers share it."""
    sender: Coldkey
    amount_rao: Annotated[int, Field(gt=0)]
    block_number: int


class WeightsReceipt(Frozen):
    """The chain took our weights."""

    netuid: int
    block_number: int
    version_key: int
    weights: dict[int, int]
    """uid → u16."""
