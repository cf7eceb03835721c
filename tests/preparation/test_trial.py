"""What is tried of a challenge, and what follows from what was found."""

import re
from typing import Any

import pytest

from core.challenge import (
    ChallengeData,
    ChallengeKind,
    ChatDataset,
    DatasetType,
    DpoDataset,
    GrpoDataset,
    InstructDataset,
    RewardFunction,
)
from core.ids import ChallengeId
from core.reading import ReadingReport
from core.rewards.contract import of_source
from core.rewards.library import entries, is_ours
from core.rewards.validation import ValidationReport, Verdict
from core.value import canonical_json
from preparation.trial import RewardsTrial, RowsTrial, concluded, stopped, trial_of
from tests import builders
from tests.preparation.rows import dataset

OURS = entries()["varied_words"].function


def described(made: ChallengeData | str) -> GrpoDataset:
    assert isinstance(made, ChallengeData) and isinstance(made.dataset_type, GrpoDataset), made
    return made.dataset_type


def own(name: str) -> RewardFunction:
    return of_source(f"def {name}(completions, **kwargs):\n    return [1.0] * len(completions)\n")


def data(*functions: RewardFunction) -> ChallengeData:
    return builders.challenge_data().model_copy(update={"dataset_type": GrpoDataset(reward_functions=functions)})


def trial(*functions: RewardFunction, drafts: tuple[RewardFunction, ...] = (), wanted: int = 0) -> RewardsTrial | None:
    source = dataset(ChallengeKind.GRPO, dataset_id="prompts", written_rewards=wanted)
    plan = builders.challenge_plan(ChallengeId("text-0001-r1-g1-c1"), kind=ChallengeKind.GRPO, dataset=source)
    made = trial_of(plan, data(*functions), drafts)
    assert not isinstance(made, RowsTrial)
    return made


def needed(*functions: RewardFunction, **more: Any) -> RewardsTrial:
    there = trial(*functions, **more)
    assert there is not None
    return there.on_rows([{"prompt": f"row {number} " + "x" * 400} for number in range(12)])


def verdicts(there: RewardsTrial, **reasons: str) -> list[Verdict]:
    """Sound but for those with a reason, which row 1 shows."""
    named = [(f, f.reward_func.split("(")[0].removeprefix("def ")) for f in there.functions]
    return [
        Verdict(reward_id=f.reward_id, name=name, reason=reasons.get(name), row=1 if name in reasons else None)
        for f, name in named
    ]


def test_our_own_functions_alone_need_no_trial() -> None:
    assert is_ours(OURS) and not is_ours(own("a"))
    assert trial(OURS) is None and trial(OURS, drafts=(OURS,)) is None


def test_what_is_not_ours_is_tried_on_the_first_rows() -> None:
    there = needed(own("a"), OURS, own("b"), drafts=(own("b"), own("c")))
    assert there.functions == there.spec.dataset_type.reward_functions == (own("a"), own("b"), own("c"))
    assert there.trial_id == "text-0001-r1-g1-c1-trial0" and len(there.sample) == 10
    assert RewardsTrial.model_validate_json(canonical_json(there)) == there


def test_one_unsound_function_fails_the_challenge() -> None:
    there = needed(own("a"), own("b"))
    told = r"^dataset prompts: the reward function b is refused: crash: no \(on sample row 1\), "
    told += r'which is {"prompt": "row 1 x+ …: correct it'
    assert re.match(told, str(concluded(there, verdicts(there, b="crash: no"))))
    assert concluded(there, verdicts(there)) == there.data


def test_of_the_drafts_the_first_sound_ones_are_kept() -> None:
    there = needed(OURS, drafts=tuple(map(own, "abcd")), wanted=2)
    made = described(concluded(there, verdicts(there, a="type: no")))
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


def test_a_report_counts_only_if_it_is_about_the_functions() -> None:
    there = needed(own("a"), own("b"))
    whole, part = (ValidationReport(verdicts=tuple(verdicts(there)[:n]), confinement="seccomp") for n in (2, 1))
    assert there.outcome(canonical_json(whole), None) == there.data
    assert "b is refused: timeout: not tried to its end in 9 s" in str(there.outcome(canonical_json(part), 9.0))
    for wrong in (canonical_json(part), None, b"{"):
        with pytest.raises(ValueError, match=r"not about the functions|Invalid JSON"):
            there.outcome(wrong, None)


# Rows


def of_rows(kind: ChallengeKind, described: DatasetType | None, read: DatasetType) -> RowsTrial | None:
    source = dataset(kind, dataset_id="talks", dataset_type=described)
    plan = builders.challenge_plan(ChallengeId("text-0001-r1-g1-c1"), kind=kind, dataset=source)
    made = trial_of(plan, builders.challenge_data().model_copy(update={"dataset_type": read}), ())
    assert not isinstance(made, RewardsTrial)
    return made


CHAT = ChatDataset(chat_template="base")


def chat() -> RowsTrial:
    made = of_rows(ChallengeKind.CHAT, CHAT, CHAT)
    assert made is not None
    return made


def test_rows_are_read_where_a_template_or_a_described_format_renders_them() -> None:
    assert of_rows(ChallengeKind.INSTRUCT, None, InstructDataset()) is None
    assert of_rows(ChallengeKind.DPO, None, DpoDataset()) is None
    assert of_rows(ChallengeKind.CHAT, None, ChatDataset()) is not None
    formats = DpoDataset(prompt_format="{prompt.x}")
    assert of_rows(ChallengeKind.DPO, formats, formats) is not None


def test_its_job_has_the_base_and_all_rows() -> None:
    there = chat()
    assert list(there.files) == [
        "/job/spec.json",
        "/job/inputs/base",
        "/job/inputs/test.json",
        "/job/inputs/train.json",
    ]
    assert there.spec.dataset_type == CHAT and there.trial_id == "text-0001-r1-g1-c1-trial0"
    assert RowsTrial.model_validate_json(canonical_json(there)) == there


def test_what_was_read_decides() -> None:
    there = chat()
    assert there.outcome(canonical_json(ReadingReport()), None) == there.data
    assert there.outcome(canonical_json(ReadingReport(problem="row 3 of train: no")), None) == (
        f"dataset talks on model {there.plan.model.model_id}: row 3 of train: no"
    )
    assert "its rows were not read in 9 s" in str(there.outcome(None, 9.0))
    with pytest.raises(ValueError, match="there is none"):
        there.outcome(None, None)
