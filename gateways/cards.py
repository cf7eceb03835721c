"""What a hub's keeper says of a dataset: its kind, its columns, how its rows are read; or what a mix is made of."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError

from core.challenge import (
    ChallengeKind,
    ChatDataset,
    DatasetInfo,
    DatasetType,
    DpoDataset,
    GrpoDataset,
    InstructDataset,
)
from core.errors import PrerequisiteError
from core.value import Frozen, canonical_json, sha256_hex

DATASET_TYPES: dict[ChallengeKind, type[InstructDataset | ChatDataset | DpoDataset | GrpoDataset]] = {
    ChallengeKind.INSTRUCT: InstructDataset,
    ChallengeKind.CHAT: ChatDataset,
    ChallengeKind.DPO: DpoDataset,
    ChallengeKind.GRPO: GrpoDataset,
}


class DatasetCard(Frozen):
    """What the rows themselves tell may be stated as well; then it must be true."""

    kind: ChallengeKind
    columns: dict[str, str] = {}
    """Our column name → theirs."""
    dataset_type: dict[str, Any] | None = None
    """Of the kind's `core.challenge` description, what is not its default."""
    written_rewards: Annotated[int, Field(ge=0, le=16)] = 0
    """GRPO only: so many reward functions that a language model writes stand beside the others."""
    mix: tuple[str, ...] = ()
    """Ids of the datasets that it is made of; it has no rows of its own then."""
    dataset_id: str | None = None
    """Its file's name tells it; else an address."""
    revision: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40,64}$")] | None = None
    """SHA-256 of the rows' file, or its first digits, 40 at least; of a hub's repository, the commit."""
    rows: Annotated[int, Field(gt=0)] | None = None

    def described(self) -> DatasetType | None:
        """Raises ValidationError when the description does not fit the kind."""
        if self.dataset_type is None or self.kind not in DATASET_TYPES:
            return None
        return DATASET_TYPES[self.kind].model_validate(self.dataset_type)


def parse_card(name: str, data: bytes | Mapping[str, Any]) -> tuple[DatasetCard, DatasetType | None]:
    """Raises PrerequisiteError naming the card and the field."""
    try:
        card = DatasetCard.model_validate_json(data) if isinstance(data, bytes) else DatasetCard.model_validate(data)
        described = card.described()
    except ValidationError as e:
        raise PrerequisiteError(f"{name} is no dataset's card: {faults(e)}; correct it") from e
    if bool(card.mix) == bool(card.columns):
        raise PrerequisiteError(f"{name} is no dataset's card: it needs either columns or a mix; correct it")
    if card.written_rewards and card.kind is not ChallengeKind.GRPO:
        raise PrerequisiteError(f"{name} is no dataset's card: written_rewards is for {ChallengeKind.GRPO}; correct it")
    return card, described


def faults(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())


def mixed(
    name: str, id_: str, card: DatasetCard, described: DatasetType | None, datasets: Sequence[DatasetInfo]
) -> DatasetInfo:
    """The mix as one dataset. Raises PrerequisiteError when one of its parts is not there or of another kind."""
    there = {dataset.dataset_id: dataset for dataset in datasets if not dataset.parts}
    unfit = [part for part in card.mix if part not in there or there[part].kind is not card.kind]
    if unfit or len({*card.mix}) < max(2, len(card.mix)):
        fault = f"the hub has no dataset {unfit[0]} of {card.kind}" if unfit else "a mix is of two or more datasets"
        raise PrerequisiteError(f"{name}: {fault}; correct it")
    parts = tuple(sorted((there[part] for part in card.mix), key=lambda part: part.dataset_id))
    total = sum(part.rows for part in parts)
    return DatasetInfo(
        dataset_id=id_,
        revision=sha256_hex(canonical_json([part.model_dump(mode="json") for part in parts])),
        kind=card.kind,
        rows=sum(min(part.rows, total - part.rows) for part in parts),
        columns={},
        dataset_type=described,
        written_rewards=card.written_rewards,
        parts=parts,
    )
