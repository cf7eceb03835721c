"""What a reward function is: Python source with one function `name(completions, **kwargs)`, known by its SHA-256.

The function is handed texts and answers with as many numbers. By name it may also ask for `prompts` (texts) and
`extra_data` (the row's extra column, JSON); everything else lands in `**kwargs`. Imports, constants, classes and
further functions may stand beside it, as long as only one takes `completions`.

Scores live in [0, 1]: what a function returns beyond is cut to it, so that a value never depends on who else is
measured. Weights are shares: they are divided by their sum.
"""

import ast
import math
from collections.abc import Sequence

from core.challenge import RewardFunction
from core.value import sha256_hex

ARGUMENTS = ("completions", "prompts", "extra_data")
MOST_SOURCE_BYTES = 1 << 16
MOST_FUNCTIONS = 64
"""Of one challenge."""
TAKEN = ("kl", "standard_error")
"""Names that stand beside the functions' in results."""


class ContractError(ValueError):
    """The text is no reward function; the message says why."""


def of_source(source: str, weight: float = 1.0, *, is_generic: bool = False, is_manual: bool = True) -> RewardFunction:
    """The reward function of that text. Raises ContractError."""
    name_of(source)
    digest = sha256_hex(source.encode())
    return RewardFunction(
        reward_id=digest[:32],
        reward_func=source,
        reward_weight=weight,
        func_hash=digest,
        is_generic=is_generic,
        is_manual=is_manual,
    )


def name_of(source: str) -> str:
    """The one function that takes `completions`. Raises ContractError."""
    return _definition(source).name


def description_of(source: str) -> str:
    """Its docstring, or nothing."""
    return ast.get_docstring(_definition(source)) or ""


def asks_for(source: str, argument: str) -> bool:
    """Whether it takes the argument by name."""
    return argument in _arguments(_definition(source))


def requires(source: str, argument: str) -> bool:
    """Whether it cannot do without the argument."""
    return argument in _required(_definition(source))


def shares(functions: Sequence[RewardFunction]) -> tuple[float, ...]:
    """Weights that sum to 1. Raises ContractError: no function, too many, or none that counts."""
    if not 0 < len(functions) <= MOST_FUNCTIONS:
        raise ContractError(f"{len(functions)} reward functions: a challenge has 1 to {MOST_FUNCTIONS}")
    weights = [function.reward_weight for function in functions]
    total = math.fsum(weights)
    if not 0 < total < math.inf:
        raise ContractError("the weights of the reward functions sum to nothing: give one a weight above 0")
    return tuple(weight / total for weight in weights)


def names(functions: Sequence[RewardFunction]) -> tuple[str, ...]:
    """A name for each, told apart by the hash where it is taken. Raises ContractError for a false hash."""
    plain = [_checked_name(function) for function in functions]
    return tuple(
        name if plain.count(name) == 1 and name not in TAKEN else f"{name}-{function.func_hash[:12]}"
        for name, function in zip(plain, functions, strict=True)
    )


def _checked_name(function: RewardFunction) -> str:
    if sha256_hex(function.reward_func.encode("utf-8", "surrogatepass")) != function.func_hash:
        raise ContractError(f"reward function {function.reward_id}: func_hash is not the SHA-256 of its text")
    return name_of(function.reward_func)


def _definition(source: str) -> ast.FunctionDef:
    found = [node for node in _parse(source).body if isinstance(node, ast.FunctionDef) and _takes_completions(node)]
    if len(found) != 1:
        raise ContractError(
            f"{len(found)} functions take `completions` first: one must, as name(completions, **kwargs)"
        )
    definition = found[0]
    foreign = [name for name in _required(definition) if name not in ARGUMENTS]
    if foreign:
        raise ContractError(
            f"{definition.name} needs the argument {foreign[0]!r}: only {', '.join(ARGUMENTS)} are given"
        )
    return definition


def _parse(source: str) -> ast.Module:
    try:
        if len(source.encode()) > MOST_SOURCE_BYTES:
            raise ContractError(f"the text has more than {MOST_SOURCE_BYTES} bytes")
        return ast.parse(source)
    except ContractError:
        raise
    except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
        raise ContractError(f"the text is no Python: {str(e)[:200]}") from e


def _takes_completions(node: ast.FunctionDef) -> bool:
    return _arguments(node)[:1] == ["completions"]


def _arguments(node: ast.FunctionDef) -> list[str]:
    return [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]


def _required(node: ast.FunctionDef) -> list[str]:
    """Arguments without a default."""
    positional = [*node.args.posonlyargs, *node.args.args]
    bare = positional[: len(positional) - len(node.args.defaults)]
    keyword = [
        each for each, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if default is None
    ]
    return [argument.arg for argument in (*bare, *keyword)]
