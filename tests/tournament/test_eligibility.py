from hypothesis import given
from hypothesis import strategies as st

from core.errors import Fault
from core.tournament import EntryStatus
from tests import builders
from tournament.eligibility import EntryFacts, judge_entries
from tournament.rules import DEMO

RULES = DEMO.model_copy(
    update={"licence_sha256": builders.sha256("licence"), "notice_sha256": builders.sha256("notice")}
)


def facts(number: int, **changes: object) -> EntryFacts:
    fields = {
        "hotkey": builders.hotkey(number),
        "coldkey": builders.coldkey(number),
        "stake_rao": 10**9,
        "payload": builders.claim(number).payload,
        "registered_block": number,
        "tree": builders.source(number),
        "files": (RULES.dockerfile, "train.py"),
        "licence_sha256": builders.sha256("licence"),
        "notice_sha256": builders.sha256("notice"),
    }
    return EntryFacts.model_validate(fields | changes)


def reason(*given_: EntryFacts, rules=RULES, champion=None) -> str | None:
    """What the last of these entries is told."""
    entries = judge_entries(given_, champion or builders.champion(), rules)
    return next(entry.reason for entry in entries if entry.hotkey == given_[-1].hotkey)


def test_a_good_entry_is_accepted():
    assert reason(facts(1)) is None


def test_every_refusal_names_its_reason():
    assert "minimum of" in reason(facts(1), rules=RULES.model_copy(update={"minimum_stake_rao": 10**10}))
    assert RULES.dockerfile in reason(facts(1, files=("train.py",)))
    assert "LICENSE" in reason(facts(1, licence_sha256=None))
    assert "NOTICE" in reason(facts(1, notice_sha256=builders.sha256("other")))
    assert reason(facts(1, tree=None, refusal="no such commit")) == "no such commit"


def test_without_a_licence_of_ours_the_check_fails_closed():
    """reference §9.1 no. 13: it passed when the validator's own file was missing."""
    assert reason(facts(1, licence_sha256=None, notice_sha256=None)) is not None


def test_the_same_code_entered_later_is_refused():
    copy = facts(2, tree=builders.source(1))
    assert "entered earlier" in reason(facts(1), copy)
    assert builders.hotkey(1) in reason(facts(1), copy)


def test_a_copy_of_a_refused_entry_is_not_a_copy():
    refused = facts(1, licence_sha256=None)
    assert reason(refused, facts(2, tree=builders.source(1))) is None


def test_the_champions_code_cannot_be_entered():
    champion = builders.champion(1)
    assert "it is the champion's" in reason(facts(2, tree=champion.tree), champion=champion)


def test_the_champions_own_commitment_to_it_is_no_entry():
    champion = builders.champion(1)
    assert judge_entries([facts(1, tree=champion.tree)], champion, RULES) == []


def test_the_champion_may_enter_newer_code():
    assert reason(facts(1, tree=builders.source("new")), champion=builders.champion(1)) is None


@given(st.permutations([facts(i, tree=builders.source(i // 2)) for i in range(1, 9)]))
def test_the_order_that_facts_come_in_never_matters(given_):
    straight = judge_entries(sorted(given_, key=lambda f: f.hotkey), builders.champion(), RULES)
    assert judge_entries(given_, builders.champion(), RULES) == straight


def test_a_refusal_is_the_miners_and_keeps_the_words_it_committed():
    (entry,) = judge_entries([facts(1, payload="text:http://x@main", refusal="no claim")], builders.champion(), RULES)
    assert (entry.status, entry.fault) == (EntryStatus.REFUSED, Fault.MINER)
    assert (entry.repository, entry.commit) == ("text:http://x@main", "")
