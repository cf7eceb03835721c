"""Draws that a stranger can repeat: everything follows from the published seed by SHA-256.

place of a contender  sha256("<seed>:<label>:<hotkey>") in hex; contenders stand sorted by it
number below n        sha256("<seed>:<label>") as an integer, modulo n
"""

from collections.abc import Sequence
from hashlib import sha256

from core.ids import CHAMPION, MIRROR, Contestant, RoundId, group_id
from core.tournament import Group, RoundType, TournamentState
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


def draw_groups(
    contenders: Sequence[Contestant], round_id: RoundId, seed: str, rules: TournamentRules, has_duel: bool = False
) -> list[Group]:
    """Who plays whom in the next round: groups of like size, pairs (the odd one out has a bye), or the title match.

    Challenges are not set yet. Raises ValueError without contenders.

    Args:
        has_duel: The champion's code plays a title match twice, to measure the noise of training.
    """
    if not contenders:
        raise ValueError(f"{round_id}: nobody is left to play")
    drawn = shuffled(contenders, seed, str(round_id))
    match round_type(len(drawn), rules):
        case RoundType.TITLE:
            teams = [[CHAMPION, *drawn, *([MIRROR] if has_duel else [])]]
        case RoundType.KNOCKOUT:
            teams = [drawn[i : i + 2] for i in range(0, len(drawn), 2)]
        case RoundType.GROUP:
            count = rules.group_count(len(drawn))
            teams = [drawn[i::count] for i in range(count)]
    return numbered(teams, round_id)


def draw_meetings(
    contenders: Sequence[Contestant], pairs: Sequence[tuple[Contestant, ...]], round_id: RoundId
) -> list[Group]:
    """The next round while pairs are undecided: they meet again, everybody else has a bye."""
    busy = {member for pair in pairs for member in pair}
    return numbered([*pairs, *([contender] for contender in contenders if contender not in busy)], round_id)


def numbered(teams: Sequence[Sequence[Contestant]], round_id: RoundId) -> list[Group]:
    return [
        Group(group_id=group_id(round_id, position), position=position, members=tuple(team), challenges=())
        for position, team in enumerate(teams, start=1)
    ]


def seniority(contestant: Contestant, state: TournamentState) -> tuple[int, str]:
    """Earlier entries first; of one block, by a draw from the seed."""
    block = next((e.registered_block for e in state.entries if Contestant(e.hotkey) == contestant), 0)
    return block, digest(state.tournament.seed or "", f"tie:{contestant}")
