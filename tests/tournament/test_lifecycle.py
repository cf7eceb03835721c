import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.challenge import ChallengeStatus
from core.ids import CHAMPION, Contestant
from core.tournament import HaltCause, Halted, RoundType, TournamentState, TournamentStatus
from tests import builders
from tests.tournament.states import CATALOGUE, VALUES, active, by_skill, play, played, prepared, with_round
from tournament.lifecycle import (
    AwaitBlock,
    Cancel,
    CloseRound,
    CollectEntries,
    DrawRound,
    Halt,
    PlayRound,
    PrepareRound,
    ReplaceChallenge,
    next_step,
)
from tournament.programme import draw_round, replacement
from tournament.rules import CLASSIC_TEXT, DEMO

INSTRUCT_ONLY = CLASSIC_TEXT.model_copy(
    update={"title_kinds": DEMO.title_kinds, "models": DEMO.models, "big_model_share": DEMO.big_model_share}
)
"""The classic structure on what the small catalogue has."""
losses = st.one_of(VALUES, st.sampled_from(["crashed: exit code 1", "refused: not a fine-tune"]))


@given(st.data(), st.integers(1, 70))
@settings(max_examples=60)
def test_every_tournament_comes_to_its_end(data, count):
    """Whoever scores, fails or is refused: a champion is named and nobody is left open."""
    skill = {Contestant(builders.hotkey(i)): data.draw(losses) for i in range(1, count + 1)} | {CHAMPION: 2.0}
    rules = INSTRUCT_ONLY if data.draw(st.booleans()) else DEMO
    state = play(active(builders.entries(count), rules), rules, by_skill(skill))
    if count < rules.minimum_entrants:
        assert state.tournament.status is TournamentStatus.CANCELLED
        return
    assert state.tournament.status is TournamentStatus.FINISHED
    title = state.tournament.title
    best = min((loss for loss in skill.values() if isinstance(loss, float)), default=None)
    assert title.winner in {state.tournament.champion.hotkey, *skill}
    if title.changed_hands:
        assert skill[title.winner] == best


@given(st.integers(2, 40), st.randoms())
@settings(max_examples=30)
def test_the_order_of_entries_never_changes_the_result(count, random):
    skill = {Contestant(builders.hotkey(i)): 1 + random.random() for i in range(1, count + 1)} | {CHAMPION: 1.5}
    entries = builders.entries(count)
    straight = play(active(entries, DEMO), DEMO, by_skill(skill))
    random.shuffle(entries)
    mixed = play(active(entries, DEMO), DEMO, by_skill(skill))
    assert straight.results == mixed.results
    assert straight.tournament.title == mixed.tournament.title


def test_entries_are_open_until_the_closing_block():
    state = active([], DEMO).model_copy(update={"tournament": builders.tournament()})
    assert next_step(state, 109, DEMO) == AwaitBlock(110)
    assert next_step(state, 110, DEMO) == CollectEntries(110)


def test_too_few_entries_cancel():
    step = next_step(active(builders.entries(7), CLASSIC_TEXT), 0, CLASSIC_TEXT)
    assert isinstance(step, Cancel) and "7 accepted entries" in step.reason


def test_refused_entries_do_not_count():
    entries = [*builders.entries(1), builders.refused_entry(2)]
    assert isinstance(next_step(active(entries, DEMO), 0, DEMO), Cancel)


@pytest.mark.parametrize("status", ["halted", "finished", "cancelled"])
def test_nothing_is_done_to_a_tournament_that_is_over_or_waits(status):
    state = active(builders.entries(3), DEMO)
    over = state.tournament.model_copy(update={"status": TournamentStatus(status)})
    assert next_step(state.model_copy(update={"tournament": over}), 10**9, DEMO) is None


def test_a_round_is_prepared_before_it_is_played():
    state = active(builders.entries(4), DEMO)
    assert next_step(state, 0, DEMO) == DrawRound(1)
    drawn = with_round(state, draw_round(state, 1, DEMO, CATALOGUE))
    assert next_step(drawn, 0, DEMO) == PrepareRound(1)
    assert next_step(prepared(drawn), 0, DEMO) == PlayRound(1)


def test_no_challenge_is_played_before_all_are_prepared():
    rules = DEMO.model_copy(update={"group_challenges": 2})
    state = active(builders.entries(4), rules)
    state = prepared(with_round(state, draw_round(state, 1, rules, CATALOGUE)))
    ready, other = state.challenges
    half = state.model_copy(
        update={"challenges": (ready, other.model_copy(update={"status": ChallengeStatus.PLANNED, "data": None}))}
    )
    assert next_step(half, 0, rules) == PrepareRound(1) and next_step(state, 0, rules) == PlayRound(1)


def _unprepared(replacement: int) -> TournamentState:
    state = active(builders.entries(4), DEMO)
    drawn = with_round(state, draw_round(state, 1, DEMO, CATALOGUE))
    plan = drawn.challenges[0].plan.model_copy(update={"replacement": replacement})
    broken = {"plan": plan, "status": ChallengeStatus.FAILED, "reason": "12 rows"}
    return drawn.model_copy(update={"challenges": (drawn.challenges[0].model_copy(update=broken),)})


def test_a_challenge_that_cannot_be_prepared_is_replaced():
    state = _unprepared(0)
    step = next_step(state, 0, DEMO)
    assert step == ReplaceChallenge(state.challenges[0].challenge_id)
    plan = replacement(state, step.challenge_id, DEMO, CATALOGUE)
    former = state.challenges[0].plan
    assert (plan.challenge_id, plan.kind, plan.replacement) == (former.challenge_id, former.kind, 1)
    assert plan.seed != former.seed


def test_after_the_last_replacement_the_operator_is_asked():
    step = next_step(_unprepared(DEMO.replacements), 0, DEMO)
    assert isinstance(step, Halt) and step.cause is HaltCause.PREPARATION and "12 rows" in step.reason


def test_nobody_waits_for_an_operator_for_ever():
    state = active(builders.entries(4), DEMO)
    halted = {"status": "halted", "reason": "why", "halted": Halted(cause=HaltCause.FAILURES, decide_by_block=50)}
    waiting = state.model_copy(update={"tournament": state.tournament.model_copy(update=halted)})
    assert next_step(waiting, 49, DEMO) is None
    step = next_step(waiting, 50, DEMO)
    assert isinstance(step, Cancel) and "why" in step.reason


@given(
    st.lists(
        st.sampled_from(["ours: lost", "ours, refused: no report", "crashed: exit code 1", 1.0]), min_size=4, max_size=8
    )
)
def test_the_operator_is_asked_when_we_failed_at_more_than_half(values):
    state = active(builders.entries(len(values)), DEMO)
    state = prepared(with_round(state, draw_round(state, 1, DEMO, CATALOGUE)))
    state = played(state, by_skill({Contestant(builders.hotkey(i)): v for i, v in enumerate(values, start=1)}))
    step = next_step(state, 0, DEMO)
    ours = sum(str(value).startswith("ours") for value in values)
    assert isinstance(step, Halt if 2 * ours > len(values) else CloseRound)
    accepted = state.rounds[0].model_copy(update={"failures_accepted": True})
    assert next_step(state.model_copy(update={"rounds": (accepted,)}), 0, DEMO) == CloseRound(1)


def test_a_round_without_any_result_leaves_the_title_where_it_is():
    skill = {Contestant(builders.hotkey(i)): "crashed: exit code 1" for i in range(1, 6)}
    state = play(active(builders.entries(5), DEMO), DEMO, by_skill(skill | {CHAMPION: 2.0}))
    title = state.tournament.title
    assert title.challenger is None and title.winner == state.tournament.champion.hotkey and not title.changed_hands


def test_the_classic_path_of_forty():
    """reference §1.10: 40 → 2 groups → 16 → 1 group → 8 → 4 → 2 → 1 → title match."""
    skill = {Contestant(builders.hotkey(i)): 1 + i / 100 for i in range(1, 41)} | {CHAMPION: 2.0}
    state = play(active(builders.entries(40), INSTRUCT_ONLY), INSTRUCT_ONLY, by_skill(skill))
    shape = [(round_.plan.type, len(round_.plan.groups)) for round_ in state.rounds]
    group, knockout, title = RoundType.GROUP, RoundType.KNOCKOUT, RoundType.TITLE
    assert shape == [(group, 2), (group, 1), (knockout, 4), (knockout, 2), (knockout, 1), (title, 1)]
    assert state.tournament.title.winner == builders.hotkey(1)
