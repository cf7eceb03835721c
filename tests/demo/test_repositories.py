import re
import subprocess

import pytest

from core.errors import PrerequisiteError
from core.tournament import EntryClaim
from demo.hotkeys import ss58
from demo.miners import COPYCAT, MINERS, NAMES, STEADY, TEMPLATE, with_changes
from demo.repositories import enter
from gateways.git import GitRepositories
from gateways.settings import RepositorySettings

every_miner = pytest.mark.parametrize("miner", MINERS, ids=lambda miner: miner.name)


def files_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }


def test_an_address_is_that_of_the_substrate_documentation():
    alice = bytes.fromhex("d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d")
    assert ss58(alice) == "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"


def test_every_miner_has_keys_of_its_own():
    keys = [key for miner in MINERS for key in (miner.hotkey, miner.coldkey)]
    assert all(re.fullmatch(r"5[1-9A-HJ-NP-Za-km-z]{47}", key) for key in keys)
    assert len(set(keys)) == len(keys) == 2 * len(NAMES)


@every_miner
def test_a_repository_has_the_same_commit_wherever_it_is_made(miner, tmp_path):
    first, second = enter(miner, tmp_path / "a"), enter(miner, tmp_path / "b")
    assert first.commit == second.commit
    assert first.repository != second.repository


@every_miner
def test_the_gateway_fetches_what_the_miner_committed(miner, tmp_path):
    claim = enter(miner, tmp_path / "miners")
    fetched = tmp_path / "fetched"
    fetched.mkdir()
    GitRepositories(RepositorySettings(allow_local=True)).fetch(claim.repository, claim.commit, fetched)
    assert files_of(fetched) == files_of(tmp_path / "miners" / miner.name)
    assert {"train.py", "LICENSE", "NOTICE", "dockerfiles/standalone-text-trainer.dockerfile"} <= set(files_of(fetched))
    compile((fetched / "train.py").read_text(), "train.py", "exec")


def test_a_claim_is_what_goes_on_the_chain(tmp_path):
    claim = enter(STEADY, tmp_path)
    assert EntryClaim.parse(claim.payload) == claim


def test_a_damaged_repository_is_made_anew(tmp_path):
    claim = enter(STEADY, tmp_path)
    for path in (tmp_path / STEADY.name / ".git" / "objects").rglob("*"):
        if path.is_file():
            path.unlink()
    assert enter(STEADY, tmp_path) == claim
    command = ["git", "-C", str(tmp_path / STEADY.name), "cat-file", "-t", claim.commit]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "commit\n"


def test_the_settings_of_whoever_runs_it_change_nothing(tmp_path, monkeypatch):
    plain = enter(STEADY, tmp_path / "a")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "somebody")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert enter(STEADY, tmp_path / "b").commit == plain.commit


def test_the_copycat_has_the_same_code_and_another_commit(tmp_path):
    steady, copycat = enter(STEADY, tmp_path), enter(COPYCAT, tmp_path)
    assert files_of(tmp_path / "steady") == files_of(tmp_path / "copycat")
    assert steady.commit != copycat.commit


def test_every_other_miner_has_code_of_its_own(tmp_path):
    for miner in MINERS:
        enter(miner, tmp_path)
    code = [tuple(files_of(tmp_path / miner.name).items()) for miner in MINERS if miner is not COPYCAT]
    assert len(set(code)) == len(code)
    assert (tmp_path / "steady" / "train.py").read_bytes() == (TEMPLATE / "train.py").read_bytes()


def test_a_change_that_the_template_does_not_have_is_named(tmp_path):
    (tmp_path / "train.py").write_text("LEARNING_RATE = 5e-5\n")
    with pytest.raises(PrerequisiteError, match="'LEARNING_RATE = 7'"):
        with_changes(("LEARNING_RATE = 7", "LEARNING_RATE = 8"))(tmp_path)
