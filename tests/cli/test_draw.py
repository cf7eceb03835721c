"""`god draw`: a stranger repeats the draw with one command."""

from hashlib import sha256

from typer.testing import CliRunner

from cli import PREREQUISITE_EXIT, app

SEED, ROUND = "5e" * 32, "text-0001-r1"
HOTKEYS = ["alice", "bob", "carol", "dave", "eve"]


def draw(*arguments: str) -> tuple[int, str]:
    outcome = CliRunner().invoke(app, ["draw", *arguments])
    return outcome.exit_code, outcome.output


def test_the_draw_is_that_of_the_hashes():
    code, output = draw(ROUND, *HOTKEYS, "--seed", SEED, "--rules", "classic")
    order = sorted(HOTKEYS, key=lambda hotkey: sha256(f"{SEED}:{ROUND}:{hotkey}".encode()).hexdigest())
    shown = sorted((output.index(hotkey), hotkey) for hotkey in HOTKEYS)
    assert code == 0 and [hotkey for _, hotkey in shown] == order
    assert f"{order[-1]} (bye)" in output


def test_the_order_that_hotkeys_are_named_in_does_not_matter():
    assert draw(ROUND, *HOTKEYS, "--seed", SEED) == draw(ROUND, *reversed(HOTKEYS), "--seed", SEED)


def test_what_is_wrong_is_said_in_one_line():
    for arguments, message in (
        ((ROUND, "alice", "alice"), "named twice: alice"),
        ((ROUND, "alice", "--rules", "fancy"), "no rules named 'fancy'"),
        (("chess-0001-r1", "alice"), "'chess' is not a valid TournamentKind"),
    ):
        code, output = draw(*arguments, "--seed", SEED)
        assert code == PREREQUISITE_EXIT and message in output and output.count("\n") == 1
