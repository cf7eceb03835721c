import os

import pytest
from rich.console import Console

from core.challenge import ChallengeKind
from core.errors import PrerequisiteError
from demo.__main__ import parse
from demo.run import places_of, step, without_password
from demo.stage import alone, check_machine, settle_environment
from embedded.addresses import Addresses, Kept, Server
from embedded.state import State


@pytest.fixture
def environment(monkeypatch):
    """What is set here is gone after the test."""
    for name in [name for name in os.environ if name.startswith("GOD_")]:
        monkeypatch.delenv(name)
    before = dict(os.environ)
    yield monkeypatch
    for name in set(os.environ) - set(before):
        del os.environ[name]


def test_the_demos_settings_yield_to_those_that_are_set(environment, tmp_path):
    environment.setenv("GOD_COMPUTE__SLOTS", "4")
    settle_environment(State(tmp_path), "bubblewrap")
    assert os.environ["GOD_COMPUTE__SLOTS"] == "4"
    assert os.environ["GOD_HUB__FOLDER"] == str(tmp_path / "demo" / "hub")
    assert (os.environ["GOD_COMPUTE__DRIVER"], os.environ["GOD_STATE"]) == ("bubblewrap", str(tmp_path))


def test_git_is_asked_for_by_name(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PrerequisiteError, match="apt-get install git"):
        check_machine()


def test_passwords_are_not_shown(tmp_path):
    kept = Kept(ports=dict.fromkeys(Server, 5000), database_password="sesame", access_key="key", secret_key="hush")
    environment = {name: value for server in Server for name, value in kept.environment(server).items()}
    places = places_of(State(tmp_path), Addresses(kept=kept, embedded=frozenset(Server), environment=environment))
    assert places["Prefect UI"] == "http://127.0.0.1:5000"
    assert places["database"] == "postgresql://god:…@127.0.0.1:5000/god"
    assert not [place for place in places.values() if "sesame" in place or "hush" in place]
    assert without_password("postgresql://host/db") == "postgresql://host/db"


def test_steps_are_lines_where_there_is_no_terminal(capsys):
    with step(Console(force_terminal=False), "opening a tournament"):
        pass
    assert capsys.readouterr().out == "opening a tournament\n"


def test_an_engine_is_named_by_what_people_call_it():
    assert (parse([]).compute, parse(["--compute", "docker"]).compute, parse(["--keep"]).keep) == (
        "bubblewrap",
        "docker",
        True,
    )
    with pytest.raises(SystemExit):
        parse(["--compute", "kubernetes"])


def test_kinds_are_named_in_their_order_and_once(capsys):
    assert parse([]).kinds == ()
    assert parse(["--kinds", "chat,dpo, grpo,chat"]).kinds == (
        ChallengeKind.CHAT,
        ChallengeKind.DPO,
        ChallengeKind.GRPO,
    )
    with pytest.raises(SystemExit):
        parse(["--kinds", "instruct,image"])
    assert "'image' is no kind of challenge; there are instruct, chat, dpo, grpo" in capsys.readouterr().err


def test_two_demos_do_not_share_a_folder(tmp_path):
    state = State(tmp_path / "var")
    with alone(state), pytest.raises(PrerequisiteError, match="another demo is at work"), alone(state):
        pass
    with alone(state):
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PrerequisiteError, match=r"cannot write to .*file/var"), alone(State(tmp_path / "file" / "var")):
        pass
