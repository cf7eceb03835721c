from collections import Counter

import pytest

from core.challenge import ChallengeKind
from core.errors import PrerequisiteError
from core.value import sha256_hex
from demo.base_model import Recipe, ensure, is_made
from demo.datasets import RECIPES
from demo.kinds import KIND_RECIPES
from demo.library import modules
from demo.stage import fill_hub
from gateways.hub import FolderHub

TEXT = (ChallengeKind.CHAT, ChallengeKind.DPO, ChallengeKind.GRPO)
TINY = Recipe(vocabulary=512, hidden=32, intermediate=64, layers=1, heads=2, positions=128, sequence=64, steps=2)


@pytest.fixture(scope="module")
def library():
    return list(modules())


@pytest.mark.slow
def test_the_tokenizer_gives_every_text_back(library):
    from demo.pretraining import train_tokenizer

    recipe = Recipe(vocabulary=1024)
    tokenizer = train_tokenizer(library, recipe)
    texts = [f.source for module in library for f in module.functions][::50]
    texts += ["naïve café – 漢字 🙂\ttab\r\n  two  spaces ", "is n't , so", ""]
    assert [tokenizer.decode(ids) for ids in tokenizer(texts)["input_ids"]] == texts
    assert (len(tokenizer), tokenizer.model_max_length) == (1024, 512)
    assert len({tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id}) == 3


@pytest.mark.slow
def test_pretraining_never_sees_a_function_of_the_datasets(library):
    from demo.pretraining import texts

    dedent = next(f for m in library for f in m.functions if (m.name, f.signature) == ("textwrap", "def dedent(text):"))
    bare = next(f for m in library if m.name == "textwrap" for f in m.functions if not f.docstring)
    seen = texts(library)
    assert bare.source in seen and len(seen) > 5000
    assert not [text for text in seen if dedent.body in text or dedent.docstring in text]


@pytest.mark.slow
def test_the_base_model_is_made_once_and_the_hub_can_use_it(tmp_path):
    told = []
    ensure(tmp_path, told.append, TINY)
    assert [progress.done for progress in told] == [0.5, 1.0]
    assert is_made(tmp_path, TINY) and not is_made(tmp_path, Recipe())
    ensure(tmp_path, lambda _: pytest.fail("made twice"), TINY)
    (model,) = FolderHub(tmp_path).catalogue().models
    assert (model.model_id, model.parameters > 10_000) == ("god/stdlib-tiny", True)
    names = {path.name for path in FolderHub(tmp_path).fetch_model(model, tmp_path / "cache").iterdir()}
    assert {"config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"} <= names
    assert "recipe" not in names


@pytest.mark.slow
def test_a_failed_pretraining_leaves_nothing_and_says_why(tmp_path):
    with pytest.raises(PrerequisiteError, match="hidden"):
        ensure(tmp_path, lambda _: None, TINY.model_copy(update={"hidden": 33}))
    assert not (tmp_path / "models").exists()


def test_the_datasets_are_whole_for_the_hub_even_where_pretraining_fails(tmp_path, monkeypatch):
    """The base model comes last, so that its presence says that everything is there."""

    def fail(*_):
        raise PrerequisiteError("no torch")

    monkeypatch.setattr("demo.base_model.ensure", fail)
    with pytest.raises(PrerequisiteError):
        fill_hub(tmp_path, lambda _: None)
    datasets = FolderHub(tmp_path).catalogue().datasets
    recipes = (*RECIPES, *KIND_RECIPES)
    assert [d.dataset_id for d in datasets] == sorted(recipe.dataset_id for recipe in recipes)
    assert Counter(dataset.kind for dataset in datasets) == {**dict.fromkeys(TEXT, 1), ChallengeKind.INSTRUCT: 3}
    for dataset in datasets:
        assert dataset.revision == sha256_hex((tmp_path / "datasets" / f"{dataset.dataset_id}.jsonl").read_bytes())
        assert len(FolderHub(tmp_path).rows(dataset.dataset_id, dataset.revision)) == dataset.rows
