from io import StringIO

import pytest
from rich.console import Console

from core.ids import CHAMPION
from core.tournament import TournamentStatus
from demo.progress import Phase, headline, lines, name_of
from demo.view import news, view
from tests import builders as b
from tests.demo.states import finished, playing

NAMES = {b.hotkey(number): name for number, name in enumerate(("ada", "bob", "cat", "dan"), start=1)}


def shown(renderable) -> str:
    console = Console(file=StringIO(), width=140)
    console.print(renderable)
    return console.file.getvalue()


def test_everybody_has_a_line_that_says_what_they_do():
    told = {line.name: line for line in lines(playing(), NAMES, b.at(12))}
    assert list(told) == [f"champion ({b.hotkey(900)[:8]}…)", "ada", "bob", "cat", "dan"]
    assert (told["ada"].phase, told["ada"].clock) == (Phase.TRAINING, (12.0, 20.0))
    assert told["bob"].phase is Phase.EVALUATING
    assert (told["cat"].phase, told["cat"].detail) == (Phase.FAILED, "crashed: exit code 1\x1b[2J")
    assert (told["dan"].phase, told["dan"].detail) == (Phase.REFUSED, "the same code was entered earlier")


@pytest.mark.parametrize(("seconds", "expected"), [(-5, 0.0), (7, 7.0), (1000, 20.0)])
def test_a_clock_stays_within_its_bounds(seconds, expected):
    ada = next(line for line in lines(playing(), NAMES, b.at(seconds)) if line.name == "ada")
    assert ada.clock == (expected, 20.0)


def test_at_the_end_everybody_knows_where_they_stand():
    told = {line.name: (line.phase, line.detail) for line in lines(finished(), NAMES, b.at(200))}
    assert told["ada"] == (Phase.CHAMPION, "2 of 3 challenges")
    assert told["bob"] == (Phase.OUT, "round 1: rank 2, loss 2.0000")
    assert told["cat"] == (Phase.OUT, "round 1: crashed: exit code 1")
    assert told[f"champion ({b.hotkey(900)[:8]}…)"] == (Phase.OUT, "lost the title")


def test_the_champions_code_and_its_owners_entry_have_different_names():
    assert name_of(CHAMPION, NAMES, b.hotkey(1)) == "champion (ada)"
    assert name_of(b.hotkey(1), NAMES, b.hotkey(1)) == "ada"


def test_hotkeys_in_reasons_become_names():
    copied = b.refused_entry(4, f"the same code was entered earlier by {b.hotkey(1)}")
    state = playing()
    told = lines(state.model_copy(update={"entries": (*state.entries[:3], copied)}), NAMES, b.at(12))
    assert told[-1].detail == "the same code was entered earlier by ada"


def test_headlines_name_the_step():
    collecting = playing().model_copy(update={"tournament": b.tournament(), "rounds": ()})
    assert headline(collecting, 107) == "takes entries for 3 more blocks"
    assert headline(playing(), 200) == "round 1, group: 2 of 3 trainings done"
    assert headline(finished(), 200) == "finished"
    cancelled = b.tournament(status=TournamentStatus.CANCELLED, reason="1 accepted entry")
    assert headline(finished().model_copy(update={"tournament": cancelled}), 200) == "cancelled: 1 accepted entry"


def test_the_view_shows_clocks_and_lets_no_control_character_through():
    text = shown(view("text-0001", "round 1", lines(playing(), NAMES, b.at(12)), 83.0))
    assert "12 of 20 s" in text and "1:23" in text
    assert "crashed: exit code 1" in text
    assert "\x1b" not in text


def test_plain_news_are_the_lines_that_changed():
    before = lines(playing(), NAMES, b.at(12))
    assert news(before, lines(playing(), NAMES, b.at(15)), 15.0) == []
    first = news([], before, 12.0)
    assert len(first) == len(before)
    assert "0:12  bob: evaluating" in first
    assert all("\x1b" not in line for line in first)
    later = news(before, lines(finished(), NAMES, b.at(200)), 200.0)
    assert "3:20  ada: champion: 2 of 3 challenges" in later
    assert not [line for line in later if " dan: " in line]
