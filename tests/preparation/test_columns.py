"""How prepared rows are read, and which reward functions judge them."""

import pytest

from core.challenge import (
    ChallengeKind,
    ChatDataset,
    DpoDataset,
    GrpoDataset,
    InstructDataset,
    RewardFunction,
)
from core.rewards.contract import of_source
from preparation.columns import standard_type
from preparation.rewards import beside, draw_reward_functions
from tests.preparation.rows import dataset

LIBRARY = [of_source(f"def f{number}(completions, **kwargs):\n    return []\n") for number in range(9)]
NEEDY = of_source("def needy(completions, extra_data):\n    return []\n")


def test_an_instruct_challenge_has_the_standard_names_and_the_datasets_formats() -> None:
    assert standard_type(dataset()) == InstructDataset()
    theirs = InstructDataset(field_instruction="task", format="{instruction}: {input}", system_prompt="Be kind.")
    columns = {"instruct": "task", "output": "answer", "system": "persona"}
    assert standard_type(dataset(dataset_type=theirs, columns=columns)) == InstructDataset(
        field_system="system", format="{instruction}: {input}", system_prompt="Be kind."
    )


def test_a_dpo_challenge_keeps_formats_and_system_column() -> None:
    columns = {"prompt": "q", "chosen": "a", "rejected": "b", "system": "s"}
    theirs = DpoDataset(field_prompt="q", prompt_format="{system}\n{prompt}", chosen_format="A: {chosen}")
    made = standard_type(dataset(ChallengeKind.DPO, columns=columns, dataset_type=theirs))
    assert made == DpoDataset(field_system="system", prompt_format="{system}\n{prompt}", chosen_format="A: {chosen}")


def test_a_chat_challenge_has_standard_messages_and_the_datasets_template() -> None:
    theirs = ChatDataset(chat_template="base", chat_role_field="role", chat_user_reference="human")
    assert standard_type(dataset(ChallengeKind.CHAT, dataset_type=theirs)) == ChatDataset(chat_template="base")


def test_a_grpo_challenges_extra_column_is_named_as_its_rows_have_it() -> None:
    made = standard_type(dataset(ChallengeKind.GRPO), LIBRARY[:2])
    assert made == GrpoDataset(reward_functions=tuple(LIBRARY[:2]), extra_column="extra_data")
    without = standard_type(dataset(ChallengeKind.GRPO, columns={"prompt": "question"}), LIBRARY[:2])
    assert isinstance(without, GrpoDataset) and without.extra_column is None


def test_a_datasets_own_reward_functions_come_before_drawn_ones() -> None:
    theirs = GrpoDataset(reward_functions=(LIBRARY[5],))
    made = standard_type(dataset(ChallengeKind.GRPO, dataset_type=theirs), LIBRARY[:2])
    assert isinstance(made, GrpoDataset) and made.reward_functions == (LIBRARY[5],)


def test_a_grpo_challenge_without_reward_functions_is_an_error() -> None:
    with pytest.raises(ValueError, match="has no reward functions: name them in its entry"):
        standard_type(dataset(ChallengeKind.GRPO))
    with pytest.raises(ValueError, match="no reward functions to draw from"):
        draw_reward_functions([], "5e")


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (
            LIBRARY[0].model_copy(update={"func_hash": "0" * 64}),
            f"function {LIBRARY[0].reward_id} is none: .* SHA-256 of its text",
        ),
        (LIBRARY[0].model_copy(update={"reward_weight": 0.0}), "sum to nothing: give one a weight above 0"),
        (NEEDY, "function needy needs extra_data, and no column is named that"),
    ],
)
def test_a_datasets_own_reward_functions_keep_the_contract(function: RewardFunction, told: str) -> None:
    theirs = GrpoDataset(reward_functions=(function,))
    with pytest.raises(ValueError, match=f"^dataset datasets/docstrings: .*{told}: correct it in the dataset's entry"):
        standard_type(dataset(ChallengeKind.GRPO, columns={"prompt": "question"}, dataset_type=theirs))


def test_what_was_written_weighs_as_much_as_the_others_on_average() -> None:
    given = [f.model_copy(update={"reward_weight": weight}) for f, weight in zip(LIBRARY, (1.0, 3.0), strict=False)]
    assert beside(given, []) == tuple(given)
    assert [function.reward_weight for function in beside(given, LIBRARY[2:4])] == [0.125, 0.375, 0.25, 0.25]


def test_reward_functions_are_drawn_by_the_seed_alone() -> None:
    drawn = draw_reward_functions(LIBRARY, "5e")
    assert drawn == draw_reward_functions(LIBRARY[::-1], "5e")
    assert len({draw_reward_functions(LIBRARY, f"{seed:x}") for seed in range(20)}) > 15


def test_one_to_five_are_drawn_each_count_as_often_and_weights_sum_to_one() -> None:
    draws = [draw_reward_functions(LIBRARY, f"{seed:x}") for seed in range(2000)]
    for count in range(1, 6):
        assert 330 < sum(len(drawn) == count for drawn in draws) < 470
    assert all(sum(function.reward_weight for function in drawn) == pytest.approx(1) for drawn in draws)
    assert all(len({function.func_hash for function in drawn}) == len(drawn) for drawn in draws)
