"""Who may play: facts about an entry → accepted, or refused with the reason the miner reads."""

from collections.abc import Sequence

from core.artifacts import ArtifactRef
from core.errors import Fault, SubmissionError
from core.ids import Coldkey, Hotkey
from core.tournament import Champion, Entry, EntryClaim, EntryStatus
from core.value import Frozen, Sha256
from tournament.rules import TournamentRules


class EntryFacts(Frozen):
    """What is known of one hotkey's entry at the closing block."""

    hotkey: Hotkey
    coldkey: Coldkey
    stake_rao: int
    payload: str
    """What it committed on the chain."""
    registered_block: int
    tree: ArtifactRef | None = None
    """The source tree at its commit."""
    files: tuple[str, ...] = ()
    licence_sha256: Sha256 | None = None
    notice_sha256: Sha256 | None = None
    refusal: str | None = None
    """Why the tree could not be had, by the miner's fault."""


def judge_entries(facts: Sequence[EntryFacts], champion: Champion, rules: TournamentRules) -> list[Entry]:
    """Judge every entry, the earliest first: among identical code the first keeps its place.

    The champion's standing commitment to the code that defends is no entry.
    """
    taken: dict[str, Hotkey] = {}
    entries = []
    challengers = [fact for fact in facts if (fact.hotkey, fact.tree) != (champion.hotkey, champion.tree)]
    for fact in sorted(challengers, key=lambda fact: (fact.registered_block, fact.hotkey)):
        reason = _objection(fact, champion, taken, rules)
        if reason is None and fact.tree is not None:
            taken[fact.tree.sha256] = fact.hotkey
        entries.append(_entry(fact, reason))
    return entries


def _objection(fact: EntryFacts, champion: Champion, taken: dict[str, Hotkey], rules: TournamentRules) -> str | None:
    """The first thing that speaks against the entry, cheapest first; None when nothing does."""
    if fact.refusal is not None:
        return fact.refusal
    if fact.stake_rao < rules.minimum_stake_rao:
        return f"stake {fact.stake_rao} rao is below the minimum of {rules.minimum_stake_rao} rao"
    if fact.tree is None:
        return "there is no source tree"
    if rules.dockerfile not in fact.files:
        return f"the repository has no {rules.dockerfile}; the training contract asks for it"
    if rules.licence_sha256 not in (None, fact.licence_sha256):
        return "LICENSE is missing or differs from the tournament's; copy the template's"
    if rules.notice_sha256 not in (None, fact.notice_sha256):
        return "NOTICE is missing or differs from the tournament's; copy the template's"
    if fact.tree.sha256 == champion.tree.sha256:
        return "the same code defends the title already; it is the champion's"
    if first := taken.get(fact.tree.sha256):
        return f"the same code was entered earlier by {first}"
    return None


def _entry(fact: EntryFacts, reason: str | None) -> Entry:
    try:
        claim: EntryClaim | None = EntryClaim.parse(fact.payload)
    except SubmissionError:
        claim = None
    return Entry(
        hotkey=fact.hotkey,
        coldkey=fact.coldkey,
        stake_rao=fact.stake_rao,
        repository=claim.repository if claim else fact.payload[:200],
        commit=claim.commit if claim else "",
        registered_block=fact.registered_block,
        tree=fact.tree,
        status=EntryStatus.ACCEPTED if reason is None else EntryStatus.REFUSED,
        reason=reason,
        fault=None if reason is None else Fault.MINER,
    )
