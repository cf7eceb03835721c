import pytest

from core.challenge import RewardFunction
from core.rewards.contract import ContractError, asks_for, description_of, name_of, names, of_source, requires, shares
from core.value import sha256_hex

PLAIN = "def plain(completions, **kwargs):\n    '''Nothing.'''\n    return [0.0 for _ in completions]\n"


def weighing(*weights: float) -> list[RewardFunction]:
    return [of_source(PLAIN, weight) for weight in weights]


def test_a_function_is_known_by_its_text() -> None:
    function = of_source(PLAIN, 2.0)
    assert function.func_hash == sha256_hex(PLAIN.encode()) and function.reward_weight == 2.0
    assert function.reward_id == of_source(PLAIN).reward_id != of_source(PLAIN + "\n").reward_id
    assert name_of(PLAIN) == "plain" and description_of(PLAIN) == "Nothing."


def test_other_things_may_stand_beside_it() -> None:
    text = "import re\nLIMIT = 3\nclass A: pass\ndef other(x): return x\n"
    assert name_of(text + "def score(completions, extra_data, *, prompts=None, **kwargs): return []\n") == "score"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "0 functions take `completions`"),
        ("def f(texts): return []", "0 functions"),
        ("f = lambda completions: []", "0 functions"),
        ("async def f(completions): return []", "0 functions"),
        ("def f(completions): pass\ndef g(completions): pass", "2 functions"),
        ("def f(completions, labels, **kwargs): pass", "needs the argument 'labels'"),
        ("def f(completions, *, labels): pass", "needs the argument 'labels'"),
        ("def f(completions:", "no Python"),
        ("def f(completions):\n\treturn 1\n        return 2", "no Python"),
        ("(" * 5000, "no Python"),
        ("x = '\0'", "no Python"),
        ("x = '\ud800'", "no Python"),
        ("#" * 70_000, "more than 65536 bytes"),
    ],
)
def test_texts_that_are_none(source: str, reason: str) -> None:
    with pytest.raises(ContractError, match=reason):
        name_of(source)


def test_arguments() -> None:
    optional = "def f(completions, extra_data=None, **kwargs): return []"
    assert asks_for(optional, "extra_data") and not requires(optional, "extra_data")
    needed = "def f(completions, extra_data, **kwargs): return []"
    assert requires(needed, "extra_data") and not asks_for(needed, "prompts")


def test_weights_become_shares() -> None:
    assert shares(weighing(3, 1, 0)) == (0.75, 0.25, 0.0)
    for wrong in ([], weighing(0, 0), weighing(*[1] * 65)):
        with pytest.raises(ContractError):
            shares(wrong)


def test_names_are_told_apart() -> None:
    other = of_source(PLAIN.replace("0.0", "1.0"))
    kl = of_source("def kl(completions): return []")
    found = names([of_source(PLAIN), other, kl])
    assert found[0].startswith("plain-") and found[1].startswith("plain-") and len(set(found)) == 3
    assert found[2] == f"kl-{kl.func_hash[:12]}"
    with pytest.raises(ContractError, match="func_hash is not the SHA-256 of its text"):
        names([other.model_copy(update={"reward_func": PLAIN})])
