"""Where our systems are: the only reader of the environment.

`GOD_DATABASE__DSN=postgresql://…` and so on. `god up` writes the addresses of the embedded services to
`<state>/services.env`, which is read too; a variable of the environment wins over it.
"""

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.tournament import TournamentKind

SERVICES_ENV = "services.env"


class DatabaseSettings(BaseModel):
    dsn: SecretStr = SecretStr("")
    """PostgreSQL, `postgresql://user:password@host/database`."""


class ArtifactSettings(BaseModel):
    endpoint: str = ""
    """S3 endpoint, `http://host:port`; empty for AWS."""
    bucket: str = "god"
    region: str = "us-east-1"
    access_key: str = ""
    secret_key: SecretStr = SecretStr("")


class ComputeSettings(BaseModel):
    driver: Literal["auto", "containers", "bubblewrap"] = "auto"
    """`auto`: containers where an engine answers, else bubblewrap."""
    instance: str = "local"
    """Name of this machine."""
    slots: int = Field(default=1, ge=1)
    """CPU slots of this machine, where it has no GPUs."""
    gpus: tuple[str, ...] = ()
    """UUIDs of the GPUs that may be used; one slot each."""
    cpus_per_slot: float = Field(default=1.0, gt=0)
    memory_mib_per_slot: int = Field(default=2048, gt=0)
    output_mib: int = Field(default=8192, gt=0)
    evaluator_image: str = "god/evaluator-text:latest"
    """With containers: the image that `dockerfiles/evaluator-text.dockerfile` makes."""


class RepositorySettings(BaseModel):
    hosts: tuple[str, ...] = ("github.com", "gitlab.com", "codeberg.org", "huggingface.co")
    """Git hosts that entries may be on, by https."""
    allow_local: bool = False
    """Take `file://` links and local paths too. For the demo and for tests."""
    max_mib: int = 256
    max_files: int = 5000
    seconds: float = 120.0


class HubSettings(BaseModel):
    driver: Literal["folder", "hugging-face"] = "folder"
    folder: Path = Path("hub")
    """Local folder of models and datasets; with `hugging-face`, of the list of those that may be drawn."""
    endpoint: str = ""
    """With `hugging-face`: where it is, https; empty for HF_ENDPOINT, else the public one."""
    token: SecretStr = SecretStr("")
    """With `hugging-face`: for models and datasets that are not public."""
    dataset_mib: int = Field(default=2048, gt=0)
    """Most MiB of one dataset that is fetched."""
    dataset_seconds: float = Field(default=1800.0, gt=0)
    """Most seconds that fetching it may take."""
    buckets: tuple[str, ...] = ()
    """S3 buckets that datasets may be read from with the artifact store's keys; never the artifacts' own."""
    allow_local: bool = False
    """Fetch from this machine too, unencrypted. For tests."""


class WriterSettings(BaseModel):
    """The language model that writes rows for plans, and reward functions for datasets, that ask for some."""

    endpoint: str = ""
    """OpenAI-compatible, `https://host/v1`; empty: there is none."""
    model: str = ""
    api_key: SecretStr = SecretStr("")
    seconds: float = Field(default=120.0, gt=0)
    """For one answer."""


class ChainSettings(BaseModel):
    driver: Literal["local"] = "local"
    netuid: int = 56
    collection_address: str = ""
    """Where fees are paid to; while it is empty, no tournament with a fee can be opened."""
    burn_hotkey: str = "5GU4Xkd3dCGTU3s8VLcHGc5wsD5M8XyxDca5yDQhYm1mVXFu"
    version_key: int = 61000
    block_seconds: float = Field(default=12.0, gt=0)
    """Local twin: seconds between blocks."""
    weights_rate_limit: int = 100
    """Local twin: blocks between two settings of weights."""


class DispatchSettings(BaseModel):
    mode: Literal["deployments", "inline"] = "deployments"
    """How trainings and evaluations are started: by work pool, or within the flow that asks."""
    stale_seconds: float = Field(default=30.0, gt=0)
    """Without a heartbeat for this long (six in a row are missed) a lease's holder is dead."""


class TournamentSettings(BaseModel):
    rules: dict[TournamentKind, str] = {TournamentKind.TEXT: "calibrated"}
    """Kinds that open by schedule, and by which named rules: `GOD_TOURNAMENTS__RULES='{"text": "classic"}'`."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="GOD_", env_nested_delimiter="__", frozen=True, extra="ignore")

    state: Path = Path("var")
    """The folder of everything that we keep on this machine."""
    database: DatabaseSettings = DatabaseSettings()
    artifacts: ArtifactSettings = ArtifactSettings()
    compute: ComputeSettings = ComputeSettings()
    repositories: RepositorySettings = RepositorySettings()
    hub: HubSettings = HubSettings()
    writer: WriterSettings = WriterSettings()
    chain: ChainSettings = ChainSettings()
    dispatch: DispatchSettings = DispatchSettings()
    tournaments: TournamentSettings = TournamentSettings()


def state_folder() -> Path:
    return Path(os.environ.get("GOD_STATE", "var")).resolve()


def load_settings() -> Settings:
    """Settings of this process, from the environment and the state folder's `services.env`."""
    state = state_folder()
    return Settings(_env_file=state / SERVICES_ENV, state=state)  # type: ignore[call-arg,unused-ignore]
