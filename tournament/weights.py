"""Evidence → weights: exact fractions, one stated rounding, the same bytes on every machine.

The classic policy (docs/rules.md, chapter Emission): each kind has a pool of `base` plus the champion's boost; it is
shared by rank; what is not earned goes to the burn hotkey. Weights are rounded down to 12 decimals and the burn hotkey
takes what that leaves, so that they sum to exactly 1.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction

from core.chain import U16_MAX
from core.ids import CHAMPION, Hotkey
from tournament.evidence import Evidence, TournamentEvidence, best_of
from tournament.rules import Emission

CLASSIC_POLICY = "classic/1"
PLACES = 12

Shares = dict[Hotkey, Fraction]


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
    return f"{Decimal(units).scaleb(-PLACES):.{PLACES}f}"


def classic(evidence: Evidence) -> Shares:
    """Shares before the burn: the kinds' pools, scaled to leave room for the participation share."""
    earned: defaultdict[Hotkey, Fraction] = defaultdict(Fraction)
    participation = _participation(evidence)
    scale = 1 - participation * len(evidence.participants)
    for tournament in evidence.tournaments:
        for hotkey, share in _pool_shares(tournament).items():
            earned[hotkey] += share * scale
    for hotkey in evidence.participants:
        earned[hotkey] += participation
    return dict(earned)


def _participation(evidence: Evidence) -> Fraction:
    """Of the newest rules; never more than would leave nothing for the pools."""
    if not evidence.tournaments or not evidence.participants:
        return Fraction(0)
    stated = max(Fraction(t.emission.participation) for t in evidence.tournaments)
    return min(stated, Fraction(1, 2 * len(evidence.participants)))


def pool(tournament: TournamentEvidence) -> Fraction:
    """The kind's pool: min(most, base + boost)."""
    rules = tournament.emission
    gain = Fraction(tournament.title_gain) - Fraction(rules.boost_threshold)
    boost = max(Fraction(0), gain) * Fraction(rules.boost_rate)
    boost = max(Fraction(0), boost - Fraction(rules.boost_decay) * max(0, tournament.streak - 1))
    return min(Fraction(rules.most), Fraction(rules.base) + boost)


def _pool_shares(tournament: TournamentEvidence) -> Shares:
    """The champion's share of the pool, the others' shares of its base."""
    champion = tournament.title.winner
    places = [[champion], *_ranked(points(tournament))]
    shares = rank_shares([len(place) for place in places], tournament.emission)
    base, whole = Fraction(tournament.emission.base), pool(tournament)
    return {
        hotkey: share * (whole if hotkey == champion else base)
        for place, share in zip(places, shares, strict=True)
        for hotkey in place
    }


def points(tournament: TournamentEvidence) -> dict[Hotkey, int]:
    """Round numbers of the challenges that a hotkey was best at; the champion and its frozen code collect none."""
    collected: defaultdict[Hotkey, int] = defaultdict(int)
    for challenge in tournament.challenges:
        for contestant in best_of(challenge):
            if contestant not in (CHAMPION, tournament.title.winner):
                collected[Hotkey(contestant)] += challenge.round_number
    return dict(collected)


def _ranked(collected: Mapping[Hotkey, int]) -> list[list[Hotkey]]:
    """Hotkeys by points, most first; equal points stand together."""
    return [
        sorted(hotkey for hotkey, own in collected.items() if own == value)
        for value in sorted(set(collected.values()), reverse=True)
    ]


def rank_shares(places: list[int], rules: Emission) -> list[Fraction]:
    """Share of one hotkey at each place: decay^(rank − 1) over the sum of all; a tie shares its ranks evenly."""
    decay = Fraction(rules.rank_decay)
    total = sum(decay**i for i in range(sum(places)))
    shares, taken = [], 0
    for size in places:
        shares.append(sum((decay**i for i in range(taken, taken + size)), Fraction(0)) / size / total)
        taken += size
    return shares


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


POLICIES: dict[str, Callable[[Evidence], Shares]] = {CLASSIC_POLICY: classic}
