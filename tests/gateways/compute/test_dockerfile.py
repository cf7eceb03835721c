"""What is read of a Dockerfile where no engine builds it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.compute.dockerfile import Copy, DockerfileError, Recipe, parse


def test_a_usual_trainer_is_read():
    recipe = parse(
        """
        # syntax=docker/dockerfile:1
        ARG BASE=python:3.11
        FROM ${BASE} AS base
        RUN apt-get update && \\
            # a comment in between
            apt-get install -y git
        WORKDIR /workspace
        ENV HOME_OF=/workspace/scripts MODE="fast run"
        ENV OLD style value
        COPY . .
        COPY --chown=1000 scripts/a.py scripts/b.py /opt/tools/
        USER root
        ENTRYPOINT ["python", "-u", "train.py"]
        CMD ["--help"]
        """
    )
    assert recipe.workdir == "/workspace"
    assert recipe.environment == {"HOME_OF": "/workspace/scripts", "MODE": "fast run", "OLD": "style value"}
    assert recipe.copies == [Copy((".",), "/workspace/"), Copy(("scripts/a.py", "scripts/b.py"), "/opt/tools/")]
    assert (recipe.entrypoint, recipe.command) == (["python", "-u", "train.py"], ["--help"])
    assert [notice.split()[0] for notice in recipe.notices] == ["FROM", "RUN", "USER"]


def test_only_the_last_stage_counts():
    recipe = parse('FROM a\nENV X=1\nENTRYPOINT ["old"]\nFROM b\nCOPY --from=0 /x /y\nCMD run me')
    assert (recipe.environment, recipe.entrypoint, recipe.copies) == ({}, [], [])
    assert recipe.command == ["/bin/sh", "-c", "run me"]
    assert any("COPY --from=0" in notice for notice in recipe.notices)


def test_an_entrypoint_forgets_the_command_before_it():
    recipe = parse('FROM a\nCMD ["x"]\nENTRYPOINT ["y"]')
    assert (recipe.entrypoint, recipe.command) == (["y"], [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A/b", "one/b"),
        ("${A}b", "oneb"),
        ("${NONE:-other}", "other"),
        ("${A:-other}", "one"),
        ("${A:+yes}", "yes"),
        ("${NONE:+yes}", ""),
        (r"\$A", "$A"),
    ],
)
def test_variables_are_replaced(text: str, expected: str):
    assert parse(f"FROM a\nENV A=one\nENV B {text}\nCMD x").environment["B"] == expected


def test_path_can_be_extended():
    assert parse("FROM a\nENV PATH=/opt/bin:$PATH\nCMD x").environment["PATH"].startswith("/opt/bin:/usr/local")


def test_arguments_are_not_environment():
    recipe = parse("FROM a\nARG PLACE=/here\nWORKDIR ${PLACE}\nCMD x")
    assert (recipe.workdir, recipe.environment) == ("/here", {})


def test_folders_add_up_and_cannot_leave_the_root():
    assert parse("FROM a\nWORKDIR /a\nWORKDIR b\nWORKDIR ../../../c\nCMD x").workdir == "/c"


def test_here_documents_are_skipped():
    recipe = parse("FROM a\nRUN <<END\nENTRYPOINT nonsense\nnot an instruction\nEND\nCMD x")
    assert recipe.entrypoint == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no FROM"),
        ("FROM a", "neither ENTRYPOINT nor CMD"),
        ("WORKDIR /x\nFROM a", "line 1: WORKDIR before FROM"),
        ("FROM a\nHELLO world", "line 2: unknown instruction 'HELLO'"),
        ("FROM a\nCMD [broken", "line 2: CMD"),
        ("FROM a\nCMD [1, 2]", "not a list of strings"),
        ("FROM a\nCOPY one", "needs a source and a target"),
        ("FROM a\nCOPY 'one", "line 2: COPY"),
        ("FROM a\nENV", "expected KEY=value"),
    ],
)
def test_nonsense_is_named(text: str, words: str):
    with pytest.raises(DockerfileError, match=words.replace("[", r"\[")):
        parse(text)


@given(st.text(alphabet=st.sampled_from("FROM COPYENVCMD[]\"'\\$\n{}:-=/.<a#"), max_size=120))
def test_any_text_is_read_or_refused(text: str):
    try:
        assert isinstance(parse(text), Recipe)
    except DockerfileError as e:
        assert str(e)
