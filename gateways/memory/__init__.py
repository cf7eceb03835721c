"""In-memory twins of every port, for tests and dry runs. The stores among them share one `World`."""

from core.ports import Ports
from gateways.memory.artifacts import MemoryArtifacts
from gateways.memory.chain import MemoryChain
from gateways.memory.compute import MemoryCompute, Script
from gateways.memory.leases import MemoryLeases
from gateways.memory.ledger import MemoryLedger
from gateways.memory.records import MemoryEvents, MemoryWeights
from gateways.memory.sources import MemoryHub, MemoryRepositories
from gateways.memory.tournaments import MemoryTournaments
from gateways.memory.work import MemoryEvaluations, MemoryTrainings
from gateways.memory.world import Clock, World

__all__ = [
    "Clock",
    "MemoryArtifacts",
    "MemoryChain",
    "MemoryCompute",
    "MemoryEvaluations",
    "MemoryEvents",
    "MemoryHub",
    "MemoryLeases",
    "MemoryLedger",
    "MemoryRepositories",
    "MemoryTournaments",
    "MemoryTrainings",
    "MemoryWeights",
    "Script",
    "World",
    "memory_ports",
]


def memory_ports(
    compute: MemoryCompute,
    *,
    world: World | None = None,
    artifacts: MemoryArtifacts | None = None,
    repositories: MemoryRepositories | None = None,
    hub: MemoryHub | None = None,
    chain: MemoryChain | None = None,
) -> Ports:
    """Every port behind its twin; what is not given is made new and empty."""
    world = world or World()
    return Ports(
        tournaments=MemoryTournaments(world),
        trainings=MemoryTrainings(world),
        evaluations=MemoryEvaluations(world),
        leases=MemoryLeases(world),
        weights=MemoryWeights(world),
        ledger=MemoryLedger(world),
        events=MemoryEvents(world),
        artifacts=artifacts or MemoryArtifacts(),
        compute=compute,
        repositories=repositories or MemoryRepositories(),
        hub=hub or MemoryHub(),
        chain=chain or MemoryChain(),
    )
