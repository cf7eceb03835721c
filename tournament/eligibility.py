"""Who may play: facts about an entry → accepted, or refused with the reason and the remedy that the miner reads."""

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from heapq import nsmallest

from core.artifacts import ArtifactRef
from core.errors import Fault, SubmissionError
from core.ids import Coldkey, Hotkey
from core.tournament import Champion, Entry, EntryClaim, EntryStatus, TournamentKind
from core.value import Frozen, Sha256
from tournament.rules import TournamentRules


class EntryFacts(Frozen):
    """What is known of one hotkey's entry at the closing block. The last five are dear: the repository was fetched."""

    hotkey: Hotkey
    coldkey: Coldkey
    stake_rao: int
    payload: str
    """What it committed on the chain."""
    registered_block: int
    balance_rao: int = 0
    """Of the coldkey; below 0 when fees were paid with what came after the closing block."""
    completed: int = 0
    """Earlier tournaments that the hotkey played to their end."""
    tree: ArtifactRef | None = None
    """The source tree at its commit."""
    files: tuple[str, ...] = ()
    licence_sha256: Sha256 | None = None
    notice_sha256: Sha256 | None = None
    refusal: str | None = None
    """Why the tree could not be had, by the miner's fault."""


def is_entry(payload: str, kind: TournamentKind) -> bool:
    """Whether a commitment is to a tournament of this kind; what is no claim is told so in every kind."""
    try:
        return EntryClaim.parse(payload).kind is kind
    except SubmissionError:
        return True


def owner_of(repository: str) -> str:
    """Host and first part of the path, case-folded: `https://GitHub.com/Miner/code` → `github.com/miner`."""
    link = repository.partition("://")[2] or repository
    return "/".join([part for part in link.casefold().split("/") if part][:2])


def early_objection(fact: EntryFacts, rules: TournamentRules, collection_address: str = "") -> str | None:
    """What speaks against an entry before its repository is fetched: who cannot play has us fetch nothing."""
    try:
        EntryClaim.parse(fact.payload)
    except SubmissionError as error:
        return f"{error.reason}; commit it anew before the closing block"
    if (missing := rules.minimum_stake_rao - fact.stake_rao) > 0:
        return (
            f"stake {fact.stake_rao} rao is below the minimum of {rules.minimum_stake_rao} rao; "
            f"stake {missing} rao more before the closing block"
        )
    return _unpaid(rules.fee_rao, fact, fact.balance_rao, collection_address)


def judge_entries(
    facts: Sequence[EntryFacts], champion: Champion, rules: TournamentRules, collection_address: str = ""
) -> list[Entry]:
    """Judge every entry, the earliest first, whatever order the facts come in.

    What counts several entries together (same code, coldkey, owner, balance) is filled by the earlier ones, so that an
    entry never helps one that was there before it. The places by stake come last: nobody takes one who may not play,
    and who gets none is not charged. The champion's standing commitment to the code that defends is no entry.

    Args:
        collection_address: Where fees are paid to; a refusal for a missing fee names it.
    """
    challengers = sorted((fact for fact in facts if not _defends(fact, champion)), key=_seniority)
    taken = _Taken(champion, rules, collection_address)
    reasons = {fact.hotkey: taken.objection(fact) for fact in challengers}
    reasons |= _outstaked([fact for fact in challengers if reasons[fact.hotkey] is None], rules)
    return [_entry(fact, reasons[fact.hotkey]) for fact in challengers]


def _defends(fact: EntryFacts, champion: Champion) -> bool:
    is_same = fact.tree == champion.tree or _words(fact) == (champion.repository, champion.commit)
    return fact.hotkey == champion.hotkey and is_same


def _seniority(fact: EntryFacts) -> tuple[int, Hotkey]:
    return fact.registered_block, fact.hotkey


class _Taken:
    """What the entries that were let in so far have taken."""

    def __init__(self, champion: Champion, rules: TournamentRules, collection_address: str) -> None:
        self._champion, self._rules, self._address = champion, rules, collection_address
        self._code: dict[Sha256, Hotkey] = {}
        self._of_coldkey: Counter[Coldkey] = Counter()
        self._of_owner: Counter[str] = Counter()

    def objection(self, fact: EntryFacts) -> str | None:
        """The first thing that speaks against the entry; None lets it in."""
        reason = early_objection(fact, self._rules, self._address) or self._of_tree(fact) or self._of_others(fact)
        if reason is None and fact.tree is not None:
            self._code[fact.tree.sha256] = fact.hotkey
            self._of_coldkey[fact.coldkey] += 1
            self._of_owner[_owner(fact)] += 1
        return reason

    def _of_tree(self, fact: EntryFacts) -> str | None:
        rules = self._rules
        if fact.refusal is not None:
            return fact.refusal
        if fact.tree is None:
            return "there is no source tree; commit the link and commit of a repository that can be fetched"
        if rules.dockerfile not in fact.files:
            return f"the repository has no {rules.dockerfile}; the training contract asks for it, copy the template's"
        if rules.licence_sha256 not in (None, fact.licence_sha256):
            return "LICENSE is missing or differs from the tournament's; copy the template's"
        if rules.notice_sha256 not in (None, fact.notice_sha256):
            return "NOTICE is missing or differs from the tournament's; copy the template's"
        if fact.tree.sha256 == self._champion.tree.sha256:
            return "the same code defends the title already, it is the champion's; enter code of your own"
        return None

    def _of_others(self, fact: EntryFacts) -> str | None:
        rules, owner = self._rules, _owner(fact)
        if fact.tree is not None and (first := self._code.get(fact.tree.sha256)):
            return f"the same code was entered earlier by {first}; enter code of your own"
        before = self._of_coldkey[fact.coldkey]
        if rules.entries_per_coldkey is not None and before >= rules.entries_per_coldkey:
            return f"coldkey {fact.coldkey} has its {before} entries already, and earlier ones go first; enter fewer"
        if rules.entries_per_owner is not None and self._of_owner[owner] >= rules.entries_per_owner:
            return (
                f"{owner} has its {rules.entries_per_owner} entries already, and earlier ones go first; "
                "enter from a repository of your own"
            )
        return _unpaid(rules.fee_rao, fact, fact.balance_rao - before * rules.fee_rao, self._address)


def _unpaid(fee_rao: int, fact: EntryFacts, left_rao: int, collection_address: str) -> str | None:
    """The objection of a fee that what is left of the coldkey's balance does not cover."""
    missing = fee_rao - left_rao
    if fee_rao == 0 or missing <= 0:
        return None
    earlier = f", of which its earlier entries leave {left_rao} rao" if left_rao != fact.balance_rao else ""
    return (
        f"the fee is {fee_rao} rao and the balance of coldkey {fact.coldkey} is {fact.balance_rao} rao{earlier}; "
        f"transfer {missing} rao from it to {collection_address or 'the collection address'} before the closing block"
    )


def _outstaked(fit: Sequence[EntryFacts], rules: TournamentRules) -> Mapping[Hotkey, str]:
    """Reasons of those who may play but find no place."""
    if rules.most_entrants is None or len(fit) <= rules.most_entrants:
        return {}
    stake = {fact.hotkey: boosted_stake(fact, rules) for fact in fit}
    placed = nsmallest(rules.most_entrants, fit, key=lambda fact: (-stake[fact.hotkey], _seniority(fact)))
    last = placed[-1]
    said = (
        f"below the {rules.most_entrants} entrants with the most, of whom the last has {_rao(stake[last.hotkey])} rao; "
        "raise the stake before the closing block"
    )
    without = {fact.hotkey for fact in fit} - {fact.hotkey for fact in placed}
    return {hotkey: f"boosted stake {_rao(stake[hotkey])} rao is {said}" for hotkey in without}


def boosted_stake(fact: EntryFacts, rules: TournamentRules) -> Fraction:
    """Stake × (1 + boost for each earlier tournament played, up to the most), exactly; rao."""
    boost = min(Fraction(rules.stake_boost) * fact.completed, Fraction(rules.stake_boost_most))
    return fact.stake_rao * (1 + boost)


def _rao(amount: Fraction) -> str:
    return str(amount) if amount.denominator == 1 else f"{float(amount):.2f}"


def _owner(fact: EntryFacts) -> str:
    return owner_of(_words(fact)[0])


def _words(fact: EntryFacts) -> tuple[str, str]:
    """Repository and commit; the miner's own words where they are no claim."""
    try:
        claim = EntryClaim.parse(fact.payload)
    except SubmissionError:
        return fact.payload[:200], ""
    return claim.repository, claim.commit


def _entry(fact: EntryFacts, reason: str | None) -> Entry:
    repository, commit = _words(fact)
    return Entry(
        hotkey=fact.hotkey,
        coldkey=fact.coldkey,
        stake_rao=fact.stake_rao,
        repository=repository,
        commit=commit,
        registered_block=fact.registered_block,
        tree=fact.tree,
        status=EntryStatus.ACCEPTED if reason is None else EntryStatus.REFUSED,
        reason=reason,
        fault=None if reason is None else Fault.MINER,
    )
