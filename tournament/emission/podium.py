"""The policy `podium/1`: everything is paid out, to three places of each kind.

A kind's pool is its anchor, moved towards the kind with fewer entrants and raised by the champion's boost; all pools
together are 1. The first places by final position share it; what no other earns is the champion's.
"""

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction

from core.tournament import TournamentKind
from tournament.emission.arithmetic import Shares, boost, mean, power, scaled, summed
from tournament.evidence import Evidence, TournamentEvidence
from tournament.rules import Emission, PodiumEmission

POLICY = "podium/1"
Pools = dict[TournamentKind, Fraction]


def shares(evidence: Evidence) -> Shares:
    """A kind's pool times its places; the pool of a kind that was never played is left to the burn hotkey."""
    pools = pools_of(evidence)
    return summed(scaled(place_shares(tournament), pools[tournament.kind]) for tournament in evidence.tournaments)


def _constants(emission: Emission) -> PodiumEmission:
    if not isinstance(emission, PodiumEmission):
        raise ValueError(f"the weight policy is {POLICY} and the evidence has constants of {emission.policy}")
    return emission


def pools_of(evidence: Evidence) -> Pools:
    """Pool of each kind, played or not; they sum to 1. The cap holds before that, as anchors and boosts are stated."""
    played = {tournament.kind: tournament for tournament in evidence.tournaments}
    emissions = {kind: tournament.emission for kind, tournament in played.items()} | evidence.unplayed
    constants = {kind: _constants(emission) for kind, emission in emissions.items()}
    balanced = _balanced(constants, played)
    pools = {
        kind: min(Fraction(rules.most), balanced[kind] + (_boost(played[kind], rules) if kind in played else 0))
        for kind, rules in constants.items()
    }
    whole = sum(pools.values(), Fraction(0))
    return {kind: pool / whole for kind, pool in pools.items()}


def _boost(tournament: TournamentEvidence, rules: PodiumEmission) -> Fraction:
    return boost(tournament.title_gain, rules.boost_threshold, rules.boost_rate)


def _balanced(
    constants: Mapping[TournamentKind, PodiumEmission], played: Mapping[TournamentKind, TournamentEvidence]
) -> Pools:
    """Anchors × (anchor share / entrant share)^power, scaled to the anchors' sum, not below the floor.

    The bare anchors until every kind has a number of entrants to go by.
    """
    anchors = {kind: Fraction(rules.anchor) for kind, rules in constants.items()}
    entrants = {kind: mean_entrants(played[kind], rules) for kind, rules in constants.items() if kind in played}
    known = {kind: count for kind, count in entrants.items() if count is not None}
    if known.keys() != anchors.keys():
        return anchors
    anchored, entered = sum(anchors.values(), Fraction(0)), sum(known.values(), Fraction(0))
    weights = {
        kind: anchor * power(anchor / anchored * entered / known[kind], Fraction(constants[kind].balance_power))
        for kind, anchor in anchors.items()
    }
    unit = anchored / sum(weights.values(), Fraction(0))
    return {kind: max(Fraction(constants[kind].balance_floor), weight * unit) for kind, weight in weights.items()}


def mean_entrants(tournament: TournamentEvidence, rules: PodiumEmission) -> Fraction | None:
    """Over the tournaments before this one; None when too few entered each of them."""
    looked_at = tournament.entrants_before[: rules.balance_tournaments]
    return mean(count for count in looked_at if count >= rules.balance_least_entrants)


def place_shares(tournament: TournamentEvidence) -> Shares:
    """Shares of the kind's pool, sum 1: the paid places, and the champion has the rest.

    Who went out in round 1 earns nothing, and nobody but the champion does once the runner-up's days are over.
    """
    rules = _constants(tournament.emission)
    others = [p for p in tournament.positions if 1 < p.position <= rules.places and p.round_number > 1]
    paid = others if tournament.runner_up_is_paid else []
    level = Counter(place.position for place in paid)
    earned = [{place.hotkey: _share(place.position, level[place.position], rules)} for place in paid]
    left = 1 - sum((share for part in earned for share in part.values()), Fraction(0))
    return summed([{tournament.title.winner: left}, *earned])


def _share(position: int, level: int, rules: PodiumEmission) -> Fraction:
    """Of each of `level` contestants that share a position: they share its places evenly."""
    ladder = [Fraction(rules.rank_ratio) ** place for place in range(rules.places)]
    return sum(ladder[position - 1 : position - 1 + level], Fraction(0)) / level / sum(ladder, Fraction(0))
