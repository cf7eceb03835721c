"""What is tried of a challenge's reward functions, and what follows from the verdicts."""

from typing import Any

import pytest

from core.challenge import ChallengeData, ChallengeKind, GrpoDataset, InstructDataset, RewardFunction
from core.ids import ChallengeId
from core.rewards.contract import of_source
from core.rewards.library import entries, is_ours
from core.rewards.validation import Verdict
from core.value import canonical_json
from preparation.trial import Trial, concluded, on_rows, stopped, trial_of
from tests import builders
from tests.preparation.rows import dataset

OURS = entries()["varied_words"].function


def own(name: str) -> RewardFunction:
    return of_source(f"def {name}(completions, **kwargs):\n    return [1.0] * len(completions)\n")


def data(*functions: RewardFunction) -> ChallengeData:
    return builders.challenge_data().model_copy(update={"dataset_type": GrpoDataset(reward_functions=functions)})


def trial(*functions: RewardFunction, drafts: tuple[RewardFunction, ...] = (), wanted: int = 0) -> Trial | None:
    source = dataset(ChallengeKind.GRPO, dataset_id="prompts", written_rewards=wanted)
    plan = builders.challenge_plan(ChallengeId("text-0001-r1-g1-c1"), kind=ChallengeKind.GRPO, dataset=source)
    return trial_of(plan, data(*functions), drafts)


def needed(*functions: RewardFunction, **more: Any) -> Trial:
    there = trial(*functions, **more)
    assert there is not None
    return on_rows(there, [{"prompt": f"row {number} " + "x" * 400} for number in range(12)])


def verdicts(there: Trial, **reasons: str) -> list[Verdict]:
    """Sound but for those with a reason, which row 1 shows."""
    named = [(f, f.reward_func.split("(")[0].removeprefix("def ")) for f in there.functions]
    return [
        Verdict(reward_id=f.reward_id, name=name, reason=reasons.get(name), row=1 if name in reasons else None)
        for f, name in named
    ]


def test_our_own_functions_alone_need_no_trial() -> None:
    assert is_ours(OURS) and not is_ours(own("a"))
    assert trial(OURS) is None and trial(OURS, drafts=(OURS,)) is None
    plan = builders.challenge_plan(ChallengeId("text-0001-r1-g1-c1"))
    assert trial_of(plan, data(own("a")).model_copy(update={"dataset_type": InstructDataset()}), ()) is None


def test_what_is_not_ours_is_tried_on_the_first_rows() -> None:
    there = needed(own("a"), OURS, own("b"), drafts=(own("b"), own("c")))
    assert there.functions == there.spec.dataset_type.reward_functions == (own("a"), own("b"), own("c"))
    assert there.trial_id == "text-0001-r1-g1-c1-rewards0" and len(there.sample) == 10
    assert Trial.model_validate_json(canonical_json(there)) == there


def test_one_unsound_function_fails_the_challenge() -> None:
    there = needed(own("a"), own("b"))
    told = r"^dataset prompts: the reward function b is refused: crash: no \(on sample row 1\), "
    told += r'which is {"prompt": "row 1 x+ …: correct it'
    with pytest.raises(ValueError, match=told):
        concluded(there, verdicts(there, b="crash: no"))
    assert concluded(there, verdicts(there)) == there.data


def test_of_the_drafts_the_first_sound_ones_are_kept() -> None:
    there = needed(OURS, drafts=tuple(map(own, "abcd")), wanted=2)
    made = concluded(there, verdicts(there, a="type: no")).dataset_type
    assert isinstance(made, GrpoDataset)
    assert [function.func_hash for function in made.reward_functions] == [
        function.func_hash for function in (OURS, own("b"), own("c"))
    ]
    assert sum(function.reward_weight for function in made.reward_functions) == pytest.approx(1)
    none = concluded(there, verdicts(there, a="no", b="no", c="no", d="no"))
    assert none == there.data


def test_of_a_trial_that_was_stopped_the_rest_was_not_done_in_time() -> None:
    there = needed(own("a"), own("b"), drafts=(own("c"),))
    found = stopped(there, verdicts(there)[:1], 60.0)
    assert [verdict.is_sound for verdict in found] == [True, False, False]
    assert str(found[1]) == "b is refused: timeout: not tried to its end in 60 s"
