"""`god up`, `down` and `status`, on real services: they come back, they are found again, and nothing is left."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import closing

import psutil
import psycopg
import pytest

from embedded.addresses import DSN, Server, any_free_port, is_free, recorded
from tests.embedded.conftest import House, until

pytestmark = [pytest.mark.slow, pytest.mark.prefect, pytest.mark.postgres]

SERVICES = ["postgres", "s3", "prefect", "worker-control", "worker-gpu-jobs"]
MakeHouse = Callable[..., House]


def test_all_services_are_healthy_and_status_says_so(house: House) -> None:
    said = house.god("status")
    assert said.returncode == 0, said.stdout
    assert [name for name in SERVICES if f"{name}" in said.stdout] == SERVICES
    assert said.stdout.count("healthy") == len(SERVICES)


def test_everything_listens_on_loopback_only(house: House) -> None:
    listening = [c for p in house.processes() for c in p.net_connections(kind="inet") if c.status == "LISTEN"]
    assert len(listening) >= 3
    assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}


def test_a_second_up_starts_nothing(house: House) -> None:
    before = {name: program.pid for name, program in house.programs().items()}
    house.up()
    assert {name: program.pid for name, program in house.programs().items()} == before


def test_two_ups_at_once_agree(house: House) -> None:
    both = [subprocess.Popen(**house.command("up"), stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert len(house.programs()) == len(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_a_killed_service_comes_back(house: House, name: str) -> None:
    killed = house.programs()[name].pid
    os.kill(killed, signal.SIGKILL)
    until(lambda: house.programs()[name].pid not in (0, killed))
    house.until_healthy()


def test_rows_survive_a_killed_postgres(house: House) -> None:
    dsn = house_address(house, DSN)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS keepsake (word text)")
        connection.execute("INSERT INTO keepsake VALUES ('kept')")
    killed = house.programs()["postgres"].pid
    os.kill(killed, signal.SIGKILL)
    until(lambda: house.programs()["postgres"].pid not in (0, killed))
    house.until_healthy()
    with psycopg.connect(dsn, autocommit=True) as connection:
        assert connection.execute("SELECT word FROM keepsake").fetchall() == [("kept",)]
        connection.execute("DROP TABLE keepsake")


def test_servers_die_with_a_killed_supervisord_and_up_brings_all_back(house: House) -> None:
    pids = {program.pid for program in house.programs().values()}
    supervisord = next(iter(psutil.Process(pid).ppid() for pid in pids))
    os.kill(supervisord, signal.SIGKILL)
    until(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    assert house.god("status").returncode == 1
    house.up()
    house.until_healthy()
    assert not pids & {program.pid for program in house.programs().values()}


def test_an_up_that_was_killed_is_done_by_the_next(make_house: MakeHouse) -> None:
    house = make_house()
    for seconds in (0.7, 2.0, 4.0):
        interrupted = subprocess.Popen(**house.command("up"), stdout=subprocess.DEVNULL)
        time.sleep(seconds)
        interrupted.kill()
        interrupted.wait()
    house.up()
    house.until_healthy()


def test_down_leaves_nothing_and_up_finds_the_data_again_though_a_port_is_taken(make_house: MakeHouse) -> None:
    house = make_house()
    house.up()
    addresses = recorded(house.state)
    assert addresses is not None
    dsn, port = addresses.environment[DSN], addresses.port(Server.S3)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE keepsake ()")
    processes = house.processes()
    assert house.god("down").returncode == 0
    assert not house.processes()
    assert not any(process.is_running() for process in processes)
    assert all(is_free(addresses.port(server)) for server in Server)
    with closing(socket.create_server(("127.0.0.1", port))):
        said = house.up().stdout
    assert f"port {port} of s3 is taken" in said
    house.until_healthy()
    assert house_address(house, DSN) == dsn
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT FROM keepsake")


def test_given_services_are_used_and_not_started(house: House, make_house: MakeHouse) -> None:
    ours = recorded(house.state)
    assert ours is not None
    other = make_house(**{**ours.environment, DSN: ours.environment[DSN].removesuffix("god") + "postgres"})
    other.up()
    assert sorted(other.programs()) == ["worker-control", "worker-gpu-jobs"]
    assert {name: report.state for name, report in other.reports().items() if name in list(Server)} == {
        "postgres": "given",
        "s3": "given",
        "prefect": "given",
    }


def test_a_given_service_that_does_not_answer_is_named(house: House, make_house: MakeHouse) -> None:
    ours = recorded(house.state)
    assert ours is not None
    nowhere = f"postgresql://nobody@127.0.0.1:{any_free_port()}/god"
    said = make_house(**{**ours.environment, DSN: nowhere}).god("up")
    assert said.returncode == 2
    assert said.stderr.count("\n") == 1
    assert "GOD_DATABASE__DSN" in said.stderr


def test_status_without_any_up_exits_1(make_house: MakeHouse) -> None:
    said = make_house().god("status")
    assert said.returncode == 1
    assert "god up" in said.stdout


def house_address(house: House, setting: str) -> str:
    addresses = recorded(house.state)
    assert addresses is not None
    return addresses.environment[setting]
