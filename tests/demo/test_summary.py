import json
from io import StringIO
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from core.challenge import ChallengeKind
from core.errors import Fault
from core.tournament import TournamentStatus
from demo.report import report
from demo.summary import Costs, Outcome, SpyReport, Summary, read_spy_log, summarise
from tests import builders as b
from tests.demo.states import finished, playing

SCHEMA = Path(__file__).parents[2] / "docs" / "demo-summary.schema.json"
NAMES = {b.hotkey(number): name for number, name in enumerate(("ada", "bob", "cat", "dan"), start=1)}
COSTS = Costs(wall_seconds=321.5, peak_memory_mib=2048.0)
HELD = SpyReport(held=("network",), escapes=(), is_whole=True)


def summary_of(state=None, setting=None, spy=HELD, **changes) -> Summary:
    chosen = setting or b.weight_setting(block_number=77)
    return summarise(state or finished(), chosen, NAMES, COSTS, spy, "http://127.0.0.1:4200")


def test_the_schema_in_the_docs_is_the_models():
    assert json.loads(SCHEMA.read_text()) == Summary.model_json_schema(mode="serialization")


def test_what_is_written_keeps_the_schema():
    jsonschema.validate(json.loads(summary_of().model_dump_json()), json.loads(SCHEMA.read_text()))


def test_every_entrant_has_an_outcome_a_reason_and_a_fault():
    fates = {e.name: (e.outcome, e.reason, e.fault) for e in summary_of().entrants}
    assert fates == {
        f"{b.hotkey(900)[:8]}…": (Outcome.DETHRONED, "2 of 3 challenges", None),
        "ada": (Outcome.CHAMPION, "2 of 3 challenges", None),
        "bob": (Outcome.OUT, "round 1: rank 2, 2.0000", None),
        "cat": (Outcome.NO_RESULT, "round 1: crashed: exit code 1", Fault.MINER),
        "dan": (Outcome.REFUSED, "the same code was entered earlier", Fault.MINER),
    }


def test_the_champions_own_refused_entry_is_not_told_twice():
    state = finished()
    champion = state.tournament.champion
    own = b.refused_entry(900, "it holds the title").model_copy(
        update={"repository": champion.repository, "commit": champion.commit}
    )
    summary = summary_of(state.model_copy(update={"entries": (*state.entries, own)}))
    assert [e.hotkey for e in summary.entrants].count(champion.hotkey) == 1


def test_where_the_kl_counts_a_challenge_says_so():
    state = finished()
    first = state.rounds[0]
    (group,) = first.plan.groups
    counted = tuple(plan.model_copy(update={"kl_coefficient": 0.1}) for plan in group.challenges)
    groups = (group.model_copy(update={"challenges": counted}),)
    plan = first.plan.model_copy(update={"groups": groups})
    rounds = (first.model_copy(update={"plan": plan}), *state.rounds[1:])
    told = summary_of(state.model_copy(update={"rounds": rounds})).rounds
    assert all(each.endswith(" with 0.1 × KL") for each in told[0].challenges) and told[0].challenges
    assert not any("KL" in each for each in told[1].challenges)


def test_a_whole_demo_is_complete():
    summary = summary_of()
    assert (summary.complete, summary.missing) == (True, ())
    assert summary.weights == {b.hotkey(1): "1"}
    assert [(r.number, len(r.standings)) for r in summary.rounds] == [(1, 3), (2, 2)]
    assert (summary.training_seconds, summary.evaluation_seconds) == (81, 8)


def by_our_fault():
    state = finished()
    first = state.results[0]
    blamed = [s.model_copy(update={"fault": Fault.PLATFORM}) if s.value is None else s for s in first.standings]
    return state.model_copy(
        update={"results": (first.model_copy(update={"standings": tuple(blamed)}), *state.results[1:])}
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"state": playing()}, "the tournament is active, not finished"),
        ({"setting": b.weight_setting()}, "the weights are not on the chain"),
        ({"spy": SpyReport(held=(), escapes=("network: 127.0.0.1:80",), is_whole=True)}, "the spy reached something"),
        ({"spy": SpyReport(held=(), escapes=(), is_whole=False)}, "the spy did not make all of its attempts"),
        ({"state": by_our_fault()}, "an entrant failed by our fault"),
    ],
)
def test_what_is_missing_is_named(changes, expected):
    summary = summary_of(**changes)
    assert not summary.complete
    assert expected in summary.missing


def test_a_halted_tournament_is_summed_up_too():
    halted = finished().model_copy(update={"tournament": b.tournament(status=TournamentStatus.HALTED, reason="why")})
    summary = summarise(halted, None, NAMES, COSTS, None, "")
    assert {"the tournament is halted, not finished", "the title is not decided"} <= set(summary.missing)
    assert summary.entrants[0].outcome is Outcome.UNDECIDED


def test_the_spys_log_is_read_line_by_line():
    log = b"held: network\nescape: environment: SECRET\nnoise\xff\nspy: done\n"
    assert read_spy_log(log) == SpyReport(held=("network",), escapes=("environment: SECRET",), is_whole=True)
    assert not read_spy_log(b"held: network\n").is_whole


def shown(summary: Summary) -> str:
    console = Console(file=StringIO(), width=160)
    console.print(report(summary, {"Prefect UI": "http://127.0.0.1:4200"}))
    return console.file.getvalue()


def test_the_report_tells_all_of_it():
    text = shown(summary_of())
    for piece in ("Round 1: group", "Round 2: title", "Title match: ada against champion", "Weights, set in block 77"):
        assert piece in text
    for piece in ("crashed: exit code 1 (miner's fault)", "http://127.0.0.1:4200", "2048 MiB", "5:21", "is complete"):
        assert piece in text


def test_the_report_says_what_is_missing_and_what_the_spy_reached():
    spy = SpyReport(held=(), escapes=("host_files: /root\x1b[31m",), is_whole=True)
    text = shown(summary_of(spy=spy))
    assert "AND REACHED: host_files: /root [31m" in text
    assert "is not complete: the spy reached something" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("kinds", "measured"),
    [
        ((ChallengeKind.DPO,) * 2, "loss (nats a pair)"),
        ((ChallengeKind.INSTRUCT, ChallengeKind.CHAT), "loss (nats a token)"),
        ((ChallengeKind.GRPO, ChallengeKind.CHAT), "mean over the challenges"),
    ],
)
def test_a_rounds_values_have_their_unit(kinds: tuple[ChallengeKind, ...], measured: str) -> None:
    state = finished()
    plan = state.rounds[0].plan
    group = plan.groups[0]
    ids = (f"{group.group_id}-c{number}" for number in (1, 2))
    challenges = tuple(b.challenge_plan(id_, kind=kind) for id_, kind in zip(ids, kinds, strict=False))
    changed = plan.model_copy(update={"groups": (group.model_copy(update={"challenges": challenges}),)})
    rounds = (state.rounds[0].model_copy(update={"plan": changed}), *state.rounds[1:])
    assert summary_of(state.model_copy(update={"rounds": rounds})).rounds[0].measured == measured
