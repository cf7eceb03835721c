"""The tournament that is worked by hand: who plays, how it is drawn, and tables to compare it by."""

from hashlib import sha256

from core.challenge import ChallengeKind
from core.evaluation import ExampleResult, Reward
from core.ids import CHAMPION, MIRROR, Contestant, Hotkey, evaluation_id, training_id
from core.tournament import TournamentState
from tests import builders
from tests.tournament.states import EVERYTHING, active, play
from tournament.evidence import Evidence, TournamentEvidence, tournament_evidence
from tournament.lifecycle import CloseRound
from tournament.rules import DAY_BLOCKS, TournamentRules
from tournament.title import next_champion, title_gain

BLOCK = 4_200_187
SEED = "1ed2457c27df88669e32c5a1683602eaf5261780f5ebad25116487c321776e09"
INSTRUCT, DPO, GRPO = ChallengeKind.INSTRUCT, ChallengeKind.DPO, ChallengeKind.GRPO
CRASH, REFUSAL, OURS = "out of memory: 80 GiB", "refused: not a fine-tune of the base", "ours: lost"
BURN, OLD = Hotkey("burn"), builders.champion().hotkey
FIRST = {1: 0.90, 2: 0.95, 3: 0.98, 4: 1.00, 5: 1.00, 6: 1.02, 7: 1.03, 8: 1.04, 9: 1.04, 10: 1.06, 11: 1.07, 12: 1.08}
FIRST |= {13: CRASH, 14: REFUSAL, 15: 0.80, 16: OURS}
"""Round 1: nobody is better than miner 15, who is disqualified before the round is closed."""


def miner(number: int) -> Contestant:
    return Contestant(builders.hotkey(number))


NUMBERS = {miner(number): number for number in range(1, 17)} | {CHAMPION: 0, MIRROR: -1}


def drawn(label: str) -> int:
    """`printf %s "$SEED:$LABEL" | sha256sum`, as a number."""
    return int(sha256(f"{SEED}:{label}".encode()).hexdigest(), 16)


def rewarded(a: float, b: float, kl: float):
    """Two reward functions of weights 3/4 and 1/4."""
    parts = (Reward(name="a", weight=0.75, mean=a), Reward(name="b", weight=0.25, mean=b))
    return builders.scored(0.3).model_copy(update={"rewards": parts, "kl": kl})


def played(rules: TournamentRules, table, examples=None, **facts) -> TournamentState:
    """The tournament whole; `table` has the values by round, challenge and contestant's number."""

    def value(contestant, challenge):
        _, _, round_, group, place = challenge.split("-")
        return table[int(round_[1:]), group + place][NUMBERS[contestant]]

    facts = {"opened_block": BLOCK - DAY_BLOCKS, "closing_block": BLOCK, **facts}
    state = active([*builders.entries(16), builders.refused_entry(17)], rules, SEED, **facts)
    state = play(state, rules, value, catalogue=EVERYTHING, until=CloseRound(1))
    state = state.model_copy(update={"disqualified": {builders.hotkey(15): "its code phones home"}})
    return play(state, rules, value, catalogue=EVERYTHING, examples=examples)


def groups(state: TournamentState) -> list[list[list[int]]]:
    """Numbers of the members of each group of each round."""
    return [[[NUMBERS[m] for m in group.members] for group in r.plan.groups] for r in state.rounds]


def table_of(state: TournamentState, round_: int) -> dict[int, tuple[int, float | None, bool]]:
    """Rank, value and whether it goes through, by the contestant's number."""
    return {NUMBERS[s.contestant]: (s.rank, s.value, s.advances) for s in state.results[round_ - 1].standings}


def programme(state: TournamentState) -> list[tuple[str, ChallengeKind, str, float]]:
    return [
        (c.challenge_id[10:], c.plan.kind, c.plan.model.model_id[7:], c.plan.training_seconds / 3600)
        for c in state.challenges
    ]


def assert_drawn_from_the_seed(state: TournamentState) -> None:
    """Order, kinds and seeds once more, from nothing but SHA-256."""
    for round_ in state.rounds[:3]:
        members = [m for group in round_.plan.groups for m in group.members]
        assert members == sorted(members, key=lambda m: f"{drawn(f'{round_.plan.round_id}:{m}'):064x}")
    for challenge in state.challenges:
        assert challenge.plan.seed == f"{drawn(f'{challenge.challenge_id}:seed'):064x}"
        assert challenge.plan.dataset.dataset_id == f"datasets/{challenge.plan.kind.value}"


def evidence_of(state: TournamentState, **facts) -> Evidence:
    _, gain = title_gain([state.tournament])
    whole = tournament_evidence(state, next_champion(state).streak, gain)
    fields = {"netuid": 56, "burn_hotkey": BURN, "tournaments": (whole,), "policy": whole.emission.policy}
    return Evidence(**fields, **facts)


def places(document: TournamentEvidence) -> list[tuple[int, Contestant, int]]:
    return [(p.position, p.contestant, p.round_number) for p in document.positions]


def rows(*totals: float) -> list[ExampleResult]:
    return [
        ExampleResult(row_id=i, row_sha256=builders.sha256(i), total=total, weight=1) for i, total in enumerate(totals)
    ]


def examples_of(challenge: str, results: dict[int, list[ExampleResult]]) -> dict[str, list[ExampleResult]]:
    names = {number: contestant for contestant, number in NUMBERS.items()}
    return {evaluation_id(training_id(challenge, names[number]), 1): own for number, own in results.items()}
