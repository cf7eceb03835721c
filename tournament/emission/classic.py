"""The policy `classic/1`: the reference's pools, shared by points, mostly burned.

Each kind has a pool of its base plus the champion's boost. Contestants are ranked by the challenges that they were best
at; the champion has its share of the pool, the others have theirs of its base, and what is not earned is burned.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction

from core.ids import CHAMPION, Hotkey
from tournament.emission.arithmetic import Shares, power, scaled, summed
from tournament.emission.arithmetic import boost as boost_of
from tournament.evidence import Evidence, TournamentEvidence, best_of
from tournament.rules import Emission, PoolEmission

POLICY = "classic/1"


def shares(evidence: Evidence) -> Shares:
    """The kinds' pools, scaled to leave room for those who still play."""
    constants = [_constants(tournament.emission) for tournament in evidence.tournaments]
    each = participation(constants, len(evidence.participants))
    playing = dict.fromkeys(evidence.participants, each)
    room = 1 - each * len(evidence.participants)
    return summed([playing, *(scaled(pool_shares(tournament), room) for tournament in evidence.tournaments)])


def _constants(emission: Emission) -> PoolEmission:
    if not isinstance(emission, PoolEmission):
        raise ValueError(f"the weight policy is {POLICY} and the evidence has constants of {emission.policy}")
    return emission


def participation(constants: Sequence[PoolEmission], participants: int) -> Fraction:
    """Of one participant; all of them together never take more than half."""
    if not constants or not participants:
        return Fraction(0)
    return min(Fraction(max(rules.participation for rules in constants)), Fraction(1, 2 * participants))


def pool(tournament: TournamentEvidence) -> Fraction:
    """The kind's pool: min(most, base + boost); the boost decays with each further tournament held."""
    rules = _constants(tournament.emission)
    decay = Fraction(rules.boost_decay) * max(0, tournament.streak - 1)
    boost = max(Fraction(0), boost_of(tournament.title_gain, rules.boost_threshold, rules.boost_rate) - decay)
    return min(Fraction(rules.most), Fraction(rules.base) + boost)


def pool_shares(tournament: TournamentEvidence) -> Shares:
    """The champion's share of the pool, the others' shares of its base."""
    champion, rules = tournament.title.winner, _constants(tournament.emission)
    places = [[champion], *_ranked(points(tournament))]
    earned = zip(places, rank_shares([len(place) for place in places], rules), strict=True)
    base, whole = Fraction(rules.base), pool(tournament)
    return {hotkey: share * (whole if hotkey == champion else base) for place, share in earned for hotkey in place}


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


def rank_shares(sizes: Sequence[int], rules: PoolEmission) -> list[Fraction]:
    """Share of one hotkey at each place: decay^(rank − 1) over the sum for all ranks; a tie has its average rank."""
    decay = Fraction(rules.rank_decay)
    whole = sum(decay**rank for rank in range(sum(sizes)))
    earned, before = [], 0
    for size in sizes:
        earned.append(power(decay, before + Fraction(size - 1, 2)) / whole)
        before += size
    return earned
