"""Every attempt is refused by name with the row that shows it, leaves nothing behind and changes nothing for others."""

import re
import socket
from pathlib import Path

import pytest

from core.challenge import GrpoDataset, RewardFunction
from core.rewards.contract import of_source
from core.rewards.library import entries
from evaluators.rewards.sandbox import Sandbox
from evaluators.rewards.scoring import Judge
from evaluators.rewards.validation import validate
from tests.evaluators.rewards.attempts import ATTEMPTS, Attempt

ROWS = [{"prompt": "not yet"}, {"prompt": "but now"}, {"prompt": "but now again"}]
WITNESS = entries()["varied_words"].function


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_attempt(attempt: Attempt, sandbox: Sandbox, tmp_path: Path) -> None:
    test_set, mark = tmp_path / "test.json", tmp_path / "mark"
    test_set.write_text("[]")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        source = attempt.source.replace("{port}", str(server.getsockname()[1]))
        source = source.replace("{test_set}", str(test_set)).replace("{mark}", str(mark))
        attacker, witness = of_source(source), WITNESS
        dataset = GrpoDataset(reward_functions=(witness, attacker, witness.model_copy(update={"reward_weight": 2})))
        first, verdict, last = validate(dataset, ROWS, sandbox)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert first.is_sound and last.is_sound
    assert verdict.name == "attempt" and verdict.row == 1
    assert re.match(attempt.outcome, verdict.reason or "sound"), verdict
    assert not mark.exists() and test_set.read_text() == "[]"


def test_there_are_enough_of_them() -> None:
    assert len({attempt.name for attempt in ATTEMPTS}) == len(ATTEMPTS) >= 25


def harmless(source: str) -> RewardFunction:
    return of_source("def attempt(completions, **kwargs):\n" + source)


def test_answers_forged_by_other_means_are_only_its_own(sandbox: Sandbox) -> None:
    """A function may give itself what it likes, within the bounds; nobody else's marks change."""
    forger = harmless(
        "    import json, math\n"
        "    json.dumps = lambda *_: '{\"values\": [9.0, 9.0]}'\n"
        "    json.loads = math.isfinite = None\n"
        "    return [0.1, 0.1]\n"
    )
    alone = Judge(GrpoDataset(reward_functions=(WITNESS,)), sandbox).marks(["a b a", "c"], "now")
    beside = Judge(GrpoDataset(reward_functions=(forger, WITNESS)), sandbox).marks(["a b a", "c"], "now")
    assert beside[0].values == (1.0, 1.0)
    assert beside[1].values == alone[0].values


def test_nothing_is_remembered_from_call_to_call(sandbox: Sandbox) -> None:
    """A bomb that counts its calls, in all the places that outlive a function's own, counts to one for ever."""
    bomb = harmless(
        "    import math, enum\n"
        "    enum.sys.modules['__main__'].calls = calls = getattr(enum.sys.modules['__main__'], 'calls', 0) + 1\n"
        "    math.calls = more = getattr(math, 'calls', 0) + 1\n"
        "    attempt.calls = most = getattr(attempt, 'calls', 0) + 1\n"
        "    return [float(calls + more + most) for _ in completions]\n"
    )
    assert [sandbox.values(bomb, ["x"], "p") for _ in range(3)] == [[3.0]] * 3


def test_no_call_finds_another_s_texts(sandbox: Sandbox) -> None:
    """It looks through all containers of its process, and finds its own call's text there."""
    spy = harmless(
        "    import enum\n"
        "    gc = enum.sys.modules['importlib'].import_module('gc')\n"
        "    words = ''.join(reversed('terces eht'))\n"
        "    found = [each for each in gc.get_objects() if type(each) is list and words in each]\n"
        "    return [float(bool(found)) for _ in completions]\n"
    )
    assert sandbox.values(spy, ["the secret"], "p") == [1.0]
    assert sandbox.values(spy, ["x"], "p") == [0.0]


def test_a_bomb_that_passes_validation_costs_its_own_marks_alone(sandbox: Sandbox) -> None:
    bomb = harmless("    assert 'measured' not in completions[0]\n    return [1.0 for _ in completions]\n")
    assert validate(GrpoDataset(reward_functions=(bomb,)), ROWS, sandbox)[0].is_sound
    judge = Judge(GrpoDataset(reward_functions=(bomb, WITNESS)), sandbox)
    fooled, honest = judge.marks(["measured", "not so"], "p")
    assert (fooled.values, fooled.failures) == ((0.0, 1.0), 1)
    assert (honest.values, honest.failures) == ((1.0, 1.0), 0)
