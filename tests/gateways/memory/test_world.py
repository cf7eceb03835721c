"""What the twins share: one state, many threads; and the small twins without a store."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.compute import Ending
from core.errors import ChainUnreachableError, NoCapacityError, PrerequisiteError, SubmissionError, TransientError
from core.ports import Ports
from gateways.memory import MemoryChain, MemoryCompute, MemoryHub, MemoryLeases, MemoryRepositories, World, memory_ports
from tests import builders


def ports(tmp_path: Path) -> Ports:
    return memory_ports(MemoryCompute(lambda spec, output: Ending.FINISHED, tmp_path))


def test_the_stores_of_a_world_see_each_others_rows(tmp_path: Path) -> None:
    mine = ports(tmp_path)
    tournament = mine.tournaments.open(builders.tournament()).tournament_id
    mine.tournaments.record_entries(tournament, builders.entries(2), builders.sha256("seed"))
    mine.tournaments.record_round(tournament, builders.round_plan(builders.contestants(1, 2)))
    training = mine.tournaments.load(tournament).trainings[0].training_id
    assert mine.trainings.dispatched(training) == 1
    assert mine.events.since(0)[-1]["subject"] == f"training:{training}"
    assert ports(tmp_path).tournaments.open_ids() == [], "each call makes a world of its own"


def test_threads_never_share_a_slot() -> None:
    leases = MemoryLeases(World())
    leases.register_slots(builders.slots(5))

    def take(number: int) -> str | None:
        try:
            return leases.acquire(f"t{number}", "a", 1, 600, 60).slots[0].resource
        except NoCapacityError:
            return None

    with ThreadPoolExecutor(16) as pool:
        taken = [resource for resource in pool.map(take, range(64)) if resource]
    assert sorted(taken) == [slot.resource for slot in builders.slots(5)]


def test_threads_count_every_dispatch(tmp_path: Path) -> None:
    mine = ports(tmp_path)
    tournament = mine.tournaments.open(builders.tournament()).tournament_id
    mine.tournaments.record_entries(tournament, builders.entries(2), builders.sha256("seed"))
    mine.tournaments.record_round(tournament, builders.round_plan(builders.contestants(1, 2)))
    training = mine.tournaments.load(tournament).trainings[0].training_id
    with ThreadPoolExecutor(16) as pool:
        counts = list(pool.map(lambda _: mine.trainings.dispatched(training), range(200)))
    assert sorted(counts) == list(range(1, 201))


def test_a_chain_can_be_made_unreachable() -> None:
    chain = MemoryChain()
    chain.is_reachable = False
    for call in (chain.block_number, lambda: chain.metagraph(56, 100), lambda: chain.weights(56)):
        with pytest.raises(ChainUnreachableError):
            call()
    chain.is_reachable = True
    assert chain.block_number() == 100


def test_a_repository_is_fetched_at_its_commit(tmp_path: Path) -> None:
    repositories = MemoryRepositories()
    link = builders.repository(1)
    old = repositories.add(link, {"train.py": "old"})
    new = repositories.add(link, {"train.py": "new", "dockerfiles/Dockerfile": "FROM scratch"})
    assert len(old) == len(new) == 40
    repositories.fetch(link, old, tmp_path / "old")
    repositories.fetch(link, new, tmp_path / "new")
    assert (tmp_path / "old" / "train.py").read_text() == "old"
    assert (tmp_path / "new" / "dockerfiles" / "Dockerfile").read_text() == "FROM scratch"


def test_a_commit_that_is_not_there_is_the_miners_fault_and_a_silent_host_is_nobodys(tmp_path: Path) -> None:
    repositories = MemoryRepositories()
    commit = repositories.add(builders.repository(1), {"train.py": ""})
    with pytest.raises(SubmissionError, match=builders.commit("other")):
        repositories.fetch(builders.repository(1), builders.commit("other"), tmp_path)
    repositories.unreachable.add(builders.repository(1))
    with pytest.raises(TransientError):
        repositories.fetch(builders.repository(1), commit, tmp_path)


def test_a_hub_lists_what_it_has_by_name(tmp_path: Path) -> None:
    hub = MemoryHub()
    for name in ("b", "a"):
        hub.add_model(builders.model(name), {"config.json": name})
        hub.add_dataset(builders.dataset(name), [{"source": name, "docstring": "text"}])
    catalogue = hub.catalogue()
    assert catalogue.models == (builders.model("a"), builders.model("b"))
    assert catalogue.datasets == (builders.dataset("a"), builders.dataset("b"))
    assert (hub.fetch_model(builders.model("a"), tmp_path) / "config.json").read_text() == "a"
    assert hub.rows("datasets/b", "1") == [{"source": "b", "docstring": "text"}]


def test_what_the_hub_has_not_is_our_fault(tmp_path: Path) -> None:
    with pytest.raises(PrerequisiteError, match="models/tiny"):
        MemoryHub().fetch_model(builders.model(), tmp_path)
    with pytest.raises(PrerequisiteError, match="datasets/docstrings"):
        MemoryHub().rows("datasets/docstrings", "1")
