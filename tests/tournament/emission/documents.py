"""Evidence made by hand: who went out in which round, and what the champion's gain was."""

from collections.abc import Mapping, Sequence
from typing import Any

from core.artifacts import ArtifactRef
from core.challenge import ChallengeKind
from core.ids import CHAMPION, Contestant, Hotkey, challenge_id, group_id, round_id, tournament_id
from core.tournament import RoundResult, Standing, TitleResult, TournamentKind
from tests import builders
from tournament.evidence import ChallengeEvidence, ContestantEvidence, Evidence, TournamentEvidence
from tournament.positions import final_positions
from tournament.rules import CALIBRATED_IMAGE, CALIBRATED_TEXT, CLASSIC_IMAGE, CLASSIC_TEXT, Emission

TEXT, IMAGE = TournamentKind.TEXT, TournamentKind.IMAGE
BURN = Hotkey("burn")
OLD = builders.champion().hotkey
"""Who defended."""
CLASSIC: dict[TournamentKind, Emission] = {TEXT: CLASSIC_TEXT.emission, IMAGE: CLASSIC_IMAGE.emission}
PODIUM: dict[TournamentKind, Emission] = {TEXT: CALIBRATED_TEXT.emission, IMAGE: CALIBRATED_IMAGE.emission}
Outs = Sequence[Sequence[int]]
"""Miners that go out in round 1, 2, …, the best of each round first."""


def standings(outs: Outs, challenger: int | None) -> tuple[RoundResult, ...]:
    """One group a round, and the title match when there is a challenger."""
    alive = [miner for out in outs for miner in out] + ([challenger] if challenger else [])
    results = []
    for number, out in enumerate(outs, start=1):
        through = [miner for miner in alive if miner not in out]
        ranks = [(miner, 1, True) for miner in through]
        ranks += [(miner, len(through) + place, False) for place, miner in enumerate(out, start=1)]
        results.append(result(number, [(Contestant(builders.hotkey(m)), rank, on) for m, rank, on in ranks]))
        alive = through
    if challenger:
        finalists = [CHAMPION, Contestant(builders.hotkey(challenger))]
        results.append(result(len(outs) + 1, [(finalist, 1, False) for finalist in finalists]))
    return tuple(results)


def result(number: int, ranks: Sequence[tuple[Contestant, int, bool]], values: Any = 1.0) -> RoundResult:
    name = round_id(tournament_id("text", 1), number)
    return RoundResult(
        round_id=name,
        number=number,
        standings=tuple(
            Standing(group_id=group_id(name, 1), contestant=contestant, rank=rank, value=values, advances=advances)
            for contestant, rank, advances in ranks
        ),
    )


def title(challenger: int | None, changed_hands: bool = False, champion: Hotkey = OLD) -> TitleResult:
    rival = builders.hotkey(challenger) if challenger else None
    return TitleResult(
        challenger=rival,
        champion=champion,
        threshold="0.03",
        winner=rival if changed_hands and rival else champion,
        changed_hands=changed_hands,
        why="by hand",
    )


def challenge(
    round_number: int, values: Mapping[Contestant, float | None], kind: ChallengeKind = ChallengeKind.INSTRUCT
) -> ChallengeEvidence:
    name = challenge_id(group_id(round_id(tournament_id("text", 1), round_number), 1), 1)
    results = [
        ContestantEvidence(contestant=contestant, value=value, report=report_of(value))
        for contestant, value in values.items()
    ]
    return ChallengeEvidence(round_number=round_number, challenge_id=name, kind=kind, results=tuple(results))


def report_of(value: float | None) -> ArtifactRef | None:
    return None if value is None else builders.report(value)


def won(round_number: int, miner: int) -> ChallengeEvidence:
    """A challenge that this miner was best at."""
    return challenge(round_number, {Contestant(builders.hotkey(miner)): 0.5})


def tournament(
    emission: Emission,
    outs: Outs = (),
    challenger: int | None = 1,
    *,
    changed_hands: bool = False,
    champion: Hotkey = OLD,
    kind: TournamentKind = TEXT,
    challenges: Sequence[ChallengeEvidence] = (),
    gain: str = "0",
    **facts: Any,
) -> TournamentEvidence:
    """A finished tournament of which only what a test is about is stated."""
    verdict, results = title(challenger, changed_hands, champion), standings(outs, challenger)
    fields = {
        "tournament_id": tournament_id(kind, 1),
        "kind": kind,
        "seed": "5e" * 32,
        "champion_before": champion,
        "title": verdict,
        "streak": 1,
        "title_gain": gain,
        "challenges": tuple(challenges),
        "standings": results,
        "positions": final_positions(verdict, results),
        "released": (),
        "emission": emission,
    }
    return TournamentEvidence.model_validate(fields | facts)


def classic(
    outs: Outs = (), challenger: int | None = 1, *, kind: TournamentKind = TEXT, **facts: Any
) -> TournamentEvidence:
    return tournament(CLASSIC[kind], outs, challenger, kind=kind, **facts)


def podium(
    outs: Outs = (), challenger: int | None = 1, *, kind: TournamentKind = TEXT, **facts: Any
) -> TournamentEvidence:
    return tournament(PODIUM[kind], outs, challenger, kind=kind, **facts)


def evidence(*tournaments: TournamentEvidence, playing: Sequence[Hotkey] = ()) -> Evidence:
    """With the constants of the kinds that are not among them."""
    policy = tournaments[0].emission.policy
    shipped = next(named for named in (CLASSIC, PODIUM) if named[TEXT].policy == policy)
    played = {tournament.kind for tournament in tournaments}
    return Evidence(
        policy=policy,
        netuid=builders.NETUID,
        burn_hotkey=BURN,
        tournaments=tournaments,
        unplayed={kind: emission for kind, emission in shipped.items() if kind not in played},
        participants=tuple(playing),
    )
