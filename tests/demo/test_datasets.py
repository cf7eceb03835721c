import json

import pytest

from core.challenge import ChallengeKind, DatasetInfo
from demo.datasets import DOCSTRING_CHARACTERS, RECIPES, SOURCE_CHARACTERS, Recipe, rows, write
from demo.library import Function, Module, modules

every_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.dataset_id)


@pytest.fixture(scope="module")
def library() -> list[Module]:
    return list(modules())


@pytest.fixture(scope="module")
def functions(library: list[Module]) -> list[Function]:
    return [function for module in library for function in module.functions]


def test_the_library_is_read_without_tests_and_tables(library):
    names = [module.name for module in library]
    assert {"json.decoder", "textwrap", "argparse"} <= set(names)
    assert len(names) == len(set(names))
    assert not [name for name in names if {"test", "tests", "encodings"} & set(name.split("."))]


def test_a_function_is_apart_from_its_docstring(functions):
    dedent = next(f for f in functions if (f.module, f.signature) == ("textwrap", "def dedent(text):"))
    assert dedent.docstring == "Remove any common leading whitespace from every line in `text`."
    assert "leading whitespace from every line" not in dedent.source
    assert dedent.source.startswith("def dedent(text):\n    margin = None")


@every_recipe
def test_rows_are_many_clean_and_different(recipe: Recipe, functions):
    made = rows(recipe, functions)
    instruction, question, answer = recipe.columns
    assert len(made) >= 2000
    assert len({row[answer] for row in made}) == len({row[question] for row in made}) == len(made)
    assert {row[instruction] for row in made} == {made[0][instruction]}
    assert all(0 < len(row[question]) <= SOURCE_CHARACTERS and len(row[answer]) in recipe.lengths for row in made)
    assert all(row["module"] for row in made)


def test_docstrings_are_one_paragraph_on_one_line(functions):
    recipe = next(r for r in RECIPES if r.dataset_id == "stdlib-docstrings")
    made = rows(recipe, functions)
    assert len(made) >= 5000
    assert all("\n" not in row["docstring"] and len(row["docstring"]) in DOCSTRING_CHARACTERS for row in made)


@every_recipe
def test_a_dataset_is_the_same_when_made_again(recipe: Recipe, functions, tmp_path):
    first = write(recipe, functions, tmp_path / "a")
    again = write(recipe, [f for module in modules() for f in module.functions], tmp_path / "b")
    assert first == again
    assert (tmp_path / "a" / f"{recipe.dataset_id}.jsonl").read_bytes() == (
        tmp_path / "b" / f"{recipe.dataset_id}.jsonl"
    ).read_bytes()


@every_recipe
def test_the_hub_folder_tells_how_columns_map(recipe: Recipe, functions, tmp_path):
    write(recipe, functions, tmp_path)
    info = DatasetInfo.model_validate_json((tmp_path / f"{recipe.dataset_id}.json").read_bytes())
    lines = (tmp_path / f"{recipe.dataset_id}.jsonl").read_text().splitlines()
    assert (info.kind, info.rows) == (ChallengeKind.INSTRUCT, len(lines))
    assert set(info.columns) == {"instruct", "input", "output"}
    assert set(json.loads(lines[0])) == {*info.columns.values(), "module"}
