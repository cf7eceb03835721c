"""The training contract: what a miner's container is given and where it leaves its checkpoint.

Unchanged from the reference (miner_templates/CONTRACT.md), so that existing miner repositories run; GOD_SEED is ours.
"""

from core.challenge import Challenge
from core.ids import Hotkey, TournamentId, TrainingId
from core.value import canonical_json, sha256_hex

CHECKPOINTS = "/app/checkpoints"
"""The writable output; the checkpoint belongs into `<task id>/<repository name>/` below it."""
MODELS = "/cache/models"
DATASETS = "/cache/datasets"
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "WANDB_MODE": "offline",
    "WANDB_DIR": f"{CHECKPOINTS}/wandb_logs",
    "TOKENIZERS_PARALLELISM": "false",
}

SEED = "GOD_SEED"
"""Variable with the seed that a training starts from, as a decimal."""
USE_KL, KL_COEFFICIENT = "USE_KL", "KL_COEF"
"""Variables of challenges that count the KL to the base, the reference's: `true`, and for how much, as a decimal."""


def model_folder(model_id: str) -> str:
    """Where a base model lies in the container: slashes of its id become `--`."""
    return f"{MODELS}/{model_id.replace('/', '--')}"


def dataset_file(challenge_id: str) -> str:
    return f"{DATASETS}/{challenge_id}_train_data.json"


def repository_name(tournament_id: TournamentId, challenge_id: str, hotkey: Hotkey) -> str:
    """The contract's `--expected-repo-name`."""
    return f"tournament-{tournament_id}-{challenge_id}-{hotkey[:8]}"


def training_arguments(challenge: Challenge, repository: str) -> tuple[str, ...]:
    """Command line of the miner's entry point. Raises ValueError when the challenge is not ready."""
    if challenge.data is None:
        raise ValueError(f"challenge {challenge.challenge_id} is not ready")
    dataset_type = canonical_json(challenge.data.dataset_type).decode()
    return (
        *("--task-id", challenge.challenge_id),
        *("--model", challenge.plan.model.model_id),
        *("--dataset", dataset_file(challenge.challenge_id)),
        *("--dataset-type", dataset_type),
        *("--task-type", challenge.plan.kind.value),
        *("--file-format", "json"),
        *("--expected-repo-name", repository),
        *("--hours-to-complete", f"{challenge.plan.training_seconds / 3600:.6f}"),
    )


def training_seed(tournament_seed: str, training_id: TrainingId) -> int:
    """Below 2³². Nobody knows it before the commits are frozen: the tournament's seed is the closing block's hash."""
    return int(sha256_hex(f"{tournament_seed}:{training_id}:training".encode())[:8], 16)


def training_environment(
    tournament_seed: str, training_id: TrainingId, kl_coefficient: float | None = None
) -> dict[str, str]:
    """Variables of the miner's container."""
    regularised = {} if kl_coefficient is None else {USE_KL: "true", KL_COEFFICIENT: repr(kl_coefficient)}
    return OFFLINE | {SEED: str(training_seed(tournament_seed, training_id))} | regularised
