"""Reward functions that a language model writes: what it is asked, and what of its answer is kept.

Off unless a dataset asks for them. What it writes is tried like any other (`evaluators.rewards.validation`); only what
is sound goes into a challenge.
"""

import math
import re
from collections.abc import Iterable, Sequence

from core.challenge import RewardFunction
from core.ports import Writer
from core.rewards.contract import ContractError, of_source
from core.rewards.library import entries
from core.rewards.validation import Verdict

MORE = 1.5
"""How many are asked for, for each that is wanted: some will not be sound."""
SYSTEM = "You write small Python functions that judge texts. You answer with fenced Python blocks and nothing else."
_EXAMPLES = ("whole_sentences", "near_30_words")
_BLOCK = re.compile(r"^```(?:python|py)?[ \t]*\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)


def question(count: int) -> str:
    """Asks for so many functions, with two of ours as examples."""
    examples = "\n".join(f"```python\n{entries()[name].function.reward_func}```" for name in _EXAMPLES)
    return (
        f"Write {count} different functions, each in a block of its own. Each takes `completions`, a list of texts, "
        "and `**kwargs`, and returns a list with a float between 0 and 1 for each text, higher where the text is "
        "better in one respect that the docstring names. Imports stand inside, from the standard library's math, re, "
        "json, string, statistics and collections alone. No randomness, no clock, no files, nothing remembered "
        f"between calls. Any text must be survived, the empty one too.\n\n{examples}"
    )


def candidates(answer: str) -> tuple[RewardFunction, ...]:
    """The functions in an answer, each once; blocks that hold none are left out."""
    found = {function.func_hash: function for source in _BLOCK.findall(answer) for function in _functions(source)}
    return tuple(found.values())


def draft(writer: Writer, count: int) -> tuple[RewardFunction, ...]:
    """What a writer offers for `count` functions, untried, and no more than it is asked for.

    Raises what the writer raises.
    """
    asked = math.ceil(count * MORE)
    return candidates(writer.write(SYSTEM, question(asked)))[:asked]


def sound(functions: Sequence[RewardFunction], verdicts: Iterable[Verdict], count: int) -> tuple[RewardFunction, ...]:
    """The first `count` that passed, by the verdicts of exactly these functions."""
    pairs = zip(functions, verdicts, strict=True)
    return tuple(function for function, verdict in pairs if verdict.is_sound)[:count]


def _functions(source: str) -> list[RewardFunction]:
    try:
        return [of_source(source, is_generic=True, is_manual=False)]
    except ContractError:
        return []
