"""Datasets of the other kinds are what a hub takes and preparation uses whole."""

from decimal import Decimal
from pathlib import Path

import pytest

from core.challenge import GrpoDataset
from demo.datasets import RECIPES
from demo.datasets import write as write_instruct
from demo.kinds import KIND_RECIPES, KindRecipe, parameters, rows, write
from demo.library import Function, modules
from gateways.hub import FolderHub
from preparation.prepare import Bounds, prepare

every_recipe = pytest.mark.parametrize("recipe", KIND_RECIPES, ids=lambda recipe: recipe.dataset_id)


@pytest.fixture(scope="module")
def functions() -> list[Function]:
    return [function for module in modules() for function in module.functions]


@every_recipe
def test_the_hub_takes_it_and_nearly_every_row_is_used(
    recipe: KindRecipe, functions: list[Function], tmp_path: Path
) -> None:
    info = write(recipe, functions, tmp_path / "datasets")
    hub = FolderHub(tmp_path)
    assert hub.catalogue().datasets == (info,)
    source = hub.rows(info.dataset_id, info.revision)
    made = prepare(info, [source], "5e", Bounds(2000, Decimal("0.1"), 400))
    assert len(made.test) == 400 and made.tally.total < 0.05 * len(source)
    assert set(made.train[0]) == set(recipe.columns)


@every_recipe
def test_a_dataset_is_the_same_when_made_again(recipe: KindRecipe, functions: list[Function]) -> None:
    assert rows(recipe, functions) == rows(recipe, list(functions))


def test_instruct_datasets_and_others_stand_in_one_hub(functions: list[Function], tmp_path: Path) -> None:
    made = [write_instruct(RECIPES[0], functions, tmp_path / "datasets")]
    made += [write(recipe, functions, tmp_path / "datasets") for recipe in KIND_RECIPES]
    found = FolderHub(tmp_path).catalogue().datasets
    assert sorted(info.dataset_id for info in made) == [info.dataset_id for info in found]
    assert len({info.kind for info in found}) == 4


def test_preferences_are_between_different_docstrings(functions: list[Function]) -> None:
    made = rows(KIND_RECIPES[1], functions)
    assert all(row["better"] != row["worse"] for row in made)
    assert len({row["better"] for row in made}) == len(made)


def test_the_checkable_answer_is_that_of_the_signature(functions: list[Function]) -> None:
    assert parameters("def f(a, /, b: int=3, *c, d, **e) -> str:") == ["a", "b", "d", "c", "e"]
    recipe = KIND_RECIPES[2]
    row = next(row for row in rows(recipe, functions) if "def dedent(text):" in row["question"])
    assert row["expected"] == {"answer": 1, "keywords": ["text"]}
    described = recipe.dataset_type()
    assert isinstance(described, GrpoDataset)
    assert sum(function.reward_weight for function in described.reward_functions) == pytest.approx(1)
