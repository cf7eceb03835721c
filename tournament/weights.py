"""Evidence → weights: exact shares by a named policy, one stated rounding, the same bytes on every machine.

Weights are rounded down to 12 decimals; the burn hotkey takes what that and the policy leave, so that they sum to
exactly 1.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from fractions import Fraction

from core.chain import U16_MAX
from core.ids import Hotkey
from tournament.emission import classic, podium
from tournament.emission.arithmetic import Shares
from tournament.evidence import Evidence

PLACES = 12
POLICIES: dict[str, Callable[[Evidence], Shares]] = {classic.POLICY: classic.shares, podium.POLICY: podium.shares}


def of(evidence: Evidence) -> dict[Hotkey, str]:
    """Weight of each hotkey as an exact decimal: ≥ 0, sum 1, sorted by hotkey.

    Raises ValueError for a policy that this version does not know.
    """
    if evidence.policy not in POLICIES:
        raise ValueError(f"weight policy {evidence.policy!r} is not known here; known: {', '.join(POLICIES)}")
    shares = POLICIES[evidence.policy](evidence)
    units = {hotkey: int(share * 10**PLACES) for hotkey, share in shares.items()}
    units[evidence.burn_hotkey] = units.get(evidence.burn_hotkey, 0) + 10**PLACES - sum(units.values())
    return {hotkey: _decimal(units[hotkey]) for hotkey in sorted(units)}


def _decimal(units: int) -> str:
    whole, rest = divmod(units, 10**PLACES)
    return f"{whole}.{rest:0{PLACES}d}"


def to_u16(weights: Mapping[Hotkey, str], uids: Mapping[Hotkey, int], burn_hotkey: Hotkey) -> dict[int, int]:
    """uid → u16 for the chain, the largest weight at 65535, rounded half to even.

    Who has left the subnet gives its part to the burn hotkey. Raises ValueError when that one is not registered.
    """
    if burn_hotkey not in uids:
        raise ValueError(f"the burn hotkey {burn_hotkey} is not registered on the subnet")
    shares: defaultdict[int, Fraction] = defaultdict(Fraction)
    for hotkey, weight in weights.items():
        shares[uids.get(hotkey, uids[burn_hotkey])] += Fraction(weight)
    largest = max(shares.values())
    return {uid: round(share / largest * U16_MAX) for uid, share in sorted(shares.items()) if share}
