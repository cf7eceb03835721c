"""The composition root: which gateway stands behind which port. SDKs are imported on first use."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

from core.ports import ModelHub, Ports
from gateways.settings import Settings, load_settings

_used: ContextVar[Ports | None] = ContextVar("ports", default=None)


def ports() -> Ports:
    """The ports of this context: those of `use_ports`, else the real ones, made once per process."""
    return _used.get() or _real()


@contextmanager
def use_ports(replacement: Ports) -> Iterator[Ports]:
    token = _used.set(replacement)
    try:
        yield replacement
    finally:
        _used.reset(token)


@cache
def settings() -> Settings:
    return load_settings()


@cache
def _real() -> Ports:
    return connect(settings())


def connect(s: Settings) -> Ports:
    """Every port behind its real gateway."""
    from gateways.compute.local import LocalCompute
    from gateways.git import GitRepositories
    from gateways.local_chain import LocalChain
    from gateways.postgres.database import Database
    from gateways.postgres.evaluations import PostgresEvaluations
    from gateways.postgres.events import PostgresEvents
    from gateways.postgres.leases import PostgresLeases
    from gateways.postgres.ledger import PostgresLedger
    from gateways.postgres.tournaments import PostgresTournaments
    from gateways.postgres.trainings import PostgresTrainings
    from gateways.postgres.weights import PostgresWeights
    from gateways.s3 import S3Artifacts
    from gateways.sources import AddressedDatasets
    from gateways.writing import CompletionsWriter

    database = Database(s.database.dsn.get_secret_value())
    return Ports(
        tournaments=PostgresTournaments(database),
        trainings=PostgresTrainings(database),
        evaluations=PostgresEvaluations(database),
        leases=PostgresLeases(database),
        weights=PostgresWeights(database),
        ledger=PostgresLedger(database),
        events=PostgresEvents(database),
        artifacts=S3Artifacts(s.artifacts),
        compute=LocalCompute(s.compute, s.state / "compute"),
        repositories=GitRepositories(s.repositories),
        hub=AddressedDatasets(_hub(s), s.hub, s.artifacts),
        chain=LocalChain(database, s.chain),
        writer=CompletionsWriter(s.writer) if s.writer.endpoint else None,
    )


def _hub(s: Settings) -> ModelHub:
    from gateways.hub import FolderHub
    from gateways.hugging_face import HuggingFaceHub

    if s.hub.driver == "hugging-face":
        return HuggingFaceHub(s.hub, s.state / "hub")
    return FolderHub(s.hub.folder)
