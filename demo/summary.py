"""What a demo came to: `var/demo/summary.json`, explained in docs/demo.md, its schema in docs/demo-summary.schema.json.

Made from a finished tournament's rows alone, by `summarise`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from core.challenge import ChallengeKind, ChallengePlan
from core.errors import Fault
from core.ids import Contestant, Hotkey, TournamentId
from core.tournament import (
    Entry,
    EntryStatus,
    RoundPlan,
    RoundResult,
    RoundType,
    Standing,
    TitleResult,
    TournamentState,
    TournamentStatus,
    WeightSetting,
)
from core.value import Frozen
from demo.overhead import container_seconds, overhead_seconds_per_step
from demo.progress import Names, name_of

Seconds = Annotated[float, Field(ge=0)]


class Outcome(StrEnum):
    """What became of an entrant."""

    CHAMPION = "champion"
    """Holds the title at the end."""
    DETHRONED = "dethroned"
    """Was the champion."""
    TITLE_LOST = "lost the title match"
    OUT = "out"
    """Others were better."""
    NO_RESULT = "no result"
    """Out without a valid result; `reason` and `fault` say why."""
    REFUSED = "refused"
    """Never admitted."""
    UNDECIDED = "undecided"
    """The tournament did not come to its end."""


class Entrant(Frozen):
    name: str
    hotkey: Hotkey
    repository: str
    commit: str
    outcome: Outcome
    reason: str
    fault: Fault | None = None


MEASURED = {
    ChallengeKind.INSTRUCT: "loss (nats a token)",
    ChallengeKind.CHAT: "loss (nats a token)",
    ChallengeKind.DPO: "loss (nats a pair)",
    ChallengeKind.GRPO: "score",
}


class RoundSummary(Frozen):
    number: int
    type: RoundType
    challenges: tuple[str, ...]
    """What was set: `<challenge id>: <dataset>`, and what the KL counts where it does."""
    measured: str
    """What a standing's value is, with its unit."""
    standings: tuple[Standing, ...]


class SpyReport(Frozen):
    """What the spying entrant wrote in its log."""

    held: tuple[str, ...]
    """Attempts that came to nothing."""
    escapes: tuple[str, ...]
    """What it reached."""
    is_whole: bool
    """It made every attempt."""


class Costs(Frozen):
    """What a run measured about itself."""

    wall_seconds: Seconds
    peak_memory_mib: Seconds
    """Of all processes together, the sandboxes included; what they share counted once where the kernel tells."""


class Summary(Frozen):
    complete: bool
    """The title is decided, the weights are set, nothing failed on our side, and the spy reached nothing."""
    missing: tuple[str, ...]
    """What keeps it from being complete."""
    tournament_id: TournamentId
    wall_seconds: Seconds
    """From the command to the weights on the chain, installation apart."""
    training_seconds: Seconds
    """Of all training containers together; several run at a time."""
    evaluation_seconds: Seconds
    """Of all evaluation containers together."""
    overhead_seconds_per_step: Seconds | None
    """Mean over trainings and evaluations of the platform's own time; docs/demo.md defines it."""
    peak_memory_mib: Seconds
    entrants: tuple[Entrant, ...]
    rounds: tuple[RoundSummary, ...]
    title_match: TitleResult | None
    weights: dict[Hotkey, str]
    """Exact decimals, sum 1."""
    weights_block: int | None
    """Block in which the chain took them."""
    spy: SpyReport | None
    """None when the spy was not trained."""
    prefect_ui: str


def summarise(
    state: TournamentState,
    setting: WeightSetting | None,
    names: Names,
    costs: Costs,
    spy: SpyReport | None,
    prefect_ui: str,
) -> Summary:
    entrants = (_champion(state, names), *(_entrant(state, entry, names) for entry in _challengers(state)))
    missing = tuple(_missing(state, setting, entrants, spy))
    return Summary(
        complete=not missing,
        missing=missing,
        tournament_id=state.tournament.tournament_id,
        wall_seconds=costs.wall_seconds,
        training_seconds=container_seconds(state.trainings),
        evaluation_seconds=container_seconds(state.evaluations),
        overhead_seconds_per_step=overhead_seconds_per_step(state),
        peak_memory_mib=costs.peak_memory_mib,
        entrants=entrants,
        rounds=tuple(_rounds(state)),
        title_match=state.tournament.title,
        weights=setting.weights if setting else {},
        weights_block=setting.block_number if setting else None,
        spy=spy,
        prefect_ui=prefect_ui,
    )


def _challengers(state: TournamentState) -> list[Entry]:
    """Entries apart from the champion's own, which is refused when it is the code that defends."""
    champion = state.tournament.champion
    return [
        e
        for e in state.entries
        if (e.hotkey, e.repository, e.commit) != (champion.hotkey, champion.repository, champion.commit)
    ]


def _champion(state: TournamentState, names: Names) -> Entrant:
    champion, title = state.tournament.champion, state.tournament.title
    outcome = Outcome.UNDECIDED if title is None else Outcome.DETHRONED if title.changed_hands else Outcome.CHAMPION
    return Entrant(
        name=name_of(champion.hotkey, names, champion.hotkey),
        hotkey=champion.hotkey,
        repository=champion.repository,
        commit=champion.commit,
        outcome=outcome,
        reason="" if title is None else title.why,
    )


def _entrant(state: TournamentState, entry: Entry, names: Names) -> Entrant:
    outcome, reason, fault = _fate(state, entry)
    name = name_of(entry.hotkey, names, entry.hotkey)
    return Entrant(
        name=name,
        hotkey=entry.hotkey,
        repository=entry.repository,
        commit=entry.commit,
        outcome=outcome,
        reason=reason,
        fault=fault,
    )


def _fate(state: TournamentState, entry: Entry) -> tuple[Outcome, str, Fault | None]:
    title = state.tournament.title
    if entry.status is EntryStatus.REFUSED:
        return Outcome.REFUSED, entry.reason or "", entry.fault
    if title is not None and title.challenger == entry.hotkey:
        return (Outcome.CHAMPION if title.changed_hands else Outcome.TITLE_LOST), title.why, None
    lost = _lost(state, Contestant(entry.hotkey))
    if lost is None:
        return Outcome.UNDECIDED, "", None
    number, standing = lost
    if standing.value is None:
        return Outcome.NO_RESULT, f"round {number}: {standing.reason}", standing.fault
    return Outcome.OUT, f"round {number}: rank {standing.rank}, {standing.value:.4f}", None


def _lost(state: TournamentState, contestant: Contestant) -> tuple[int, Standing] | None:
    """The round that a contestant did not come out of."""
    for result in state.results:
        for standing in result.standings:
            if standing.contestant == contestant and not standing.advances:
                return result.number, standing
    return None


def _rounds(state: TournamentState) -> list[RoundSummary]:
    plans = {round_.plan.number: round_.plan for round_ in state.rounds}
    return [_round(plans[result.number], result) for result in state.results]


def _round(plan: RoundPlan, result: RoundResult) -> RoundSummary:
    challenges = [challenge for group in plan.groups for challenge in group.challenges]
    return RoundSummary(
        number=result.number,
        type=plan.type,
        challenges=tuple(map(_set, challenges)),
        measured=_measured({challenge.kind for challenge in challenges}),
        standings=result.standings,
    )


def _measured(kinds: set[ChallengeKind]) -> str:
    units = {MEASURED.get(kind, kind.value) for kind in kinds}
    return units.pop() if len(units) == 1 else "mean over the challenges"


def _set(challenge: ChallengePlan) -> str:
    beside = f" with {challenge.kl_coefficient:g} × KL" if challenge.kl_coefficient else ""
    return f"{challenge.challenge_id}: {challenge.dataset.dataset_id}{beside}"


def _missing(
    state: TournamentState, setting: WeightSetting | None, entrants: tuple[Entrant, ...], spy: SpyReport | None
) -> list[str]:
    """Everything that a whole demo would have."""
    tournament = state.tournament
    checks: Mapping[str, bool] = {
        f"the tournament is {tournament.status}, not finished": tournament.status is not TournamentStatus.FINISHED,
        "the title is not decided": tournament.title is None,
        "a round has no standings": len(state.results) != len(state.rounds) or not state.rounds,
        "the weights are not on the chain": setting is None or setting.block_number is None,
        "an entrant's end is not decided": any(e.outcome is Outcome.UNDECIDED for e in entrants),
        "an entrant failed by our fault": any(e.fault is Fault.PLATFORM for e in entrants),
        "the spy did not make all of its attempts": spy is not None and not spy.is_whole,
        "the spy reached something": spy is not None and bool(spy.escapes),
    }
    return [what for what, is_missing in checks.items() if is_missing]


def read_spy_log(log: bytes) -> SpyReport:
    """Lines of `demo/scripts/spy.py`."""
    found = log.decode(errors="replace").splitlines()
    return SpyReport(
        held=tuple(line.removeprefix("held: ") for line in found if line.startswith("held: ")),
        escapes=tuple(line.removeprefix("escape: ") for line in found if line.startswith("escape: ")),
        is_whole="spy: done" in found,
    )
