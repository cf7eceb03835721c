"""Draws that a stranger can repeat: everything follows from the published seed by SHA-256.

place of a contender  sha256("<seed>:<label>:<hotkey>") in hex; contenders stand sorted by it
number below n        sha256("<seed>:<label>") as an integer, modulo n
"""

from collections.abc import Sequence
from hashlib import sha256

from core.ids import CHAMPION, Contestant, RoundId, group_id
from core.tournament import Group, RoundType
from tournament.rules import TournamentRules


def digest(seed: str, label: str) -> str:
    return sha256(f"{seed}:{label}".encode()).hexdigest()


def number(seed: str, label: str, below: int) -> int:
    """A number in [0, below)."""
    return int(digest(seed, label), 16) % below


def shuffled(contenders: Sequence[Contestant], seed: str, label: str) -> list[Contestant]:
    """The contenders in drawn order; the order they come in does not matter."""
    return sorted(contenders, key=lambda contender: digest(seed, f"{label}:{contender}"))


def round_type(contenders: int, rules: TournamentRules) -> RoundType:
    if contenders == 1:
        return RoundType.TITLE
    return RoundType.KNOCKOUT if contenders <= rules.knockout_limit else RoundType.GROUP


def draw_groups(contenders: Sequence[Contestant], round_id: RoundId, seed: str, rules: TournamentRules) -> list[Group]:
    """Who plays whom in the next round: groups of like size, pairs (the odd one out has a bye), or the title match.

    Challenges are not set yet. Raises ValueError without contenders.
    """
    if not contenders:
        raise ValueError(f"{round_id}: nobody is left to play")
    drawn = shuffled(contenders, seed, str(round_id))
    match round_type(len(drawn), rules):
        case RoundType.TITLE:
            teams = [[CHAMPION, *drawn]]
        case RoundType.KNOCKOUT:
            teams = [drawn[i : i + 2] for i in range(0, len(drawn), 2)]
        case RoundType.GROUP:
            count = rules.group_count(len(drawn))
            teams = [drawn[i::count] for i in range(count)]
    return [
        Group(group_id=group_id(round_id, position), position=position, members=tuple(team), challenges=())
        for position, team in enumerate(teams, start=1)
    ]
