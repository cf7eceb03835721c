from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Fault
from core.tournament import Entry, EntryClaim, EntryStatus, TournamentKind
from tests import builders
from tournament.eligibility import EntryFacts, boosted_stake, early_objection, is_entry, judge_entries, owner_of
from tournament.rules import DEMO, TournamentRules

RULES = DEMO.model_copy(
    update={"licence_sha256": builders.sha256("licence"), "notice_sha256": builders.sha256("notice")}
)
ADDRESS = "5Collection"
FEE = 200


def rules(**changes: object) -> TournamentRules:
    return TournamentRules.model_validate(RULES.model_dump() | changes)


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


def of_owner(number: int, owner: str) -> EntryFacts:
    return facts(number, payload=f"text:https://{owner}/code-{number}@{builders.commit(number)}")


def judged(*given_: EntryFacts, rules=RULES, champion=None) -> list[Entry]:
    return judge_entries(given_, champion or builders.champion(), rules, ADDRESS)


def reason(*given_: EntryFacts, rules=RULES, champion=None) -> str | None:
    """What the last of these entries is told."""
    entries = judged(*given_, rules=rules, champion=champion)
    return next(entry.reason for entry in entries if entry.hotkey == given_[-1].hotkey)


def accepted(*given_: EntryFacts, rules=RULES) -> list[int]:
    """Numbers of those who play."""
    playing = {entry.hotkey for entry in judged(*given_, rules=rules) if entry.status is EntryStatus.ACCEPTED}
    return [number for number in range(100) if builders.hotkey(number) in playing]


# One by one


def test_a_good_entry_is_accepted():
    assert reason(facts(1)) is None


@pytest.mark.parametrize(
    ("changes", "what", "remedy"),
    [
        ({"payload": "text:http://x@main"}, "text:http://x@main", "'text:<repository link>@<40-character commit>'"),
        ({"stake_rao": 7}, "below the minimum of 10 rao", "stake 3 rao more"),
        ({"refusal": "no such commit"}, "no such commit", ""),
        ({"tree": None}, "no source tree", "commit the link"),
        ({"files": ("train.py",)}, RULES.dockerfile, "copy the template's"),
        ({"licence_sha256": None}, "LICENSE", "copy the template's"),
        ({"notice_sha256": builders.sha256("other")}, "NOTICE", "copy the template's"),
        ({"tree": builders.champion().tree}, "it is the champion's", "code of your own"),
    ],
)
def test_every_refusal_names_its_reason(changes, what, remedy):
    """And what to do about it; the refusal of a repository is said by who fetched it."""
    said = reason(facts(1, **changes), rules=rules(minimum_stake_rao=10))
    assert what in said and remedy in said


def test_the_least_stake_is_enough():
    assert reason(facts(1, stake_rao=10), rules=rules(minimum_stake_rao=10)) is None


def test_without_a_licence_of_ours_the_check_fails_closed():
    """reference §9.1 no. 13: it passed when the validator's own file was missing."""
    assert reason(facts(1, licence_sha256=None, notice_sha256=None)) is not None


def test_a_refusal_is_the_miners_and_keeps_the_words_it_committed():
    (entry,) = judged(facts(1, payload="text:http://x@main"))
    assert (entry.status, entry.fault) == (EntryStatus.REFUSED, Fault.MINER)
    assert (entry.repository, entry.commit) == ("text:http://x@main", "")


def test_a_commitment_is_for_its_kind_and_nonsense_for_every_kind():
    text = builders.claim(1).payload
    assert is_entry(text, TournamentKind.TEXT) and not is_entry(text, TournamentKind.IMAGE)
    assert all(is_entry("my node is at 10.0.0.1", kind) for kind in TournamentKind)


def test_who_cannot_play_has_us_fetch_nothing():
    """reference §9.1 no. 11: anybody could make the validator clone for free."""
    asked = rules(minimum_stake_rao=10, fee_rao=FEE)
    unfetched = {"tree": None, "files": (), "licence_sha256": None, "notice_sha256": None}
    for changes in ({"payload": "nonsense"}, {"stake_rao": 9}, {"balance_rao": FEE - 1}):
        known = facts(1, **{"balance_rao": FEE, **unfetched, **changes})
        assert early_objection(known, asked, ADDRESS) == reason(known, rules=asked) is not None
    assert early_objection(facts(1, balance_rao=FEE, **unfetched), asked, ADDRESS) is None


# Beside others


def test_the_same_code_entered_later_is_refused():
    copy = facts(2, tree=builders.source(1))
    assert "entered earlier" in reason(facts(1), copy)
    assert builders.hotkey(1) in reason(facts(1), copy)


def test_a_copy_of_a_refused_entry_is_not_a_copy():
    refused = facts(1, licence_sha256=None)
    assert reason(refused, facts(2, tree=builders.source(1))) is None


def test_the_champions_own_commitment_to_it_is_no_entry():
    """Whether or not it could pay for one, so that its repository was never fetched."""
    champion = builders.champion(1)
    assert judged(facts(1, tree=champion.tree, payload=builders.claim(5).payload), champion=champion) == []
    assert judged(facts(1, tree=None), champion=champion, rules=rules(fee_rao=FEE)) == []


def test_the_champion_may_enter_newer_code():
    newer = facts(1, tree=builders.source("new"), payload=builders.claim(5).payload)
    assert reason(newer, champion=builders.champion(1)) is None


def test_a_coldkeys_earliest_entries_keep_their_places():
    mine = [facts(number, coldkey=builders.coldkey(1)) for number in (3, 1, 4)]
    assert accepted(*mine, facts(2), rules=rules(entries_per_coldkey=1)) == [1, 2]
    assert accepted(*mine, facts(2), rules=rules(entries_per_coldkey=2)) == [1, 2, 3]
    assert accepted(*mine, facts(2)) == [1, 2, 3, 4]
    told = reason(*mine, rules=rules(entries_per_coldkey=1))
    assert builders.coldkey(1) in told and "enter fewer" in told


def test_an_owners_earliest_entries_keep_their_places():
    limited = rules(entries_per_owner=1)
    mine = [of_owner(2, "GitHub.com/Miner"), of_owner(1, "github.com/miner"), of_owner(3, "github.com//miner")]
    assert accepted(*mine, of_owner(4, "gitlab.com/miner"), of_owner(5, "github.com/other"), rules=limited) == [1, 4, 5]
    assert "github.com/miner has its 1 entries" in reason(*mine, rules=limited)
    assert "of your own" in reason(*mine, rules=limited)


@pytest.mark.parametrize(
    ("link", "owner"),
    [
        ("https://github.com/Miner/code", "github.com/miner"),
        ("https://GITHUB.com/miner/code/", "github.com/miner"),
        ("https://gitlab.com/group/sub/code.git", "gitlab.com/group"),
        ("https://huggingface.co/Miner/code", "huggingface.co/miner"),
        ("file:///srv/miners/1", "srv/miners"),
        ("/srv/miners/1", "srv/miners"),
        ("nonsense", "nonsense"),
    ],
)
def test_an_owner_is_the_host_and_the_first_part_of_the_path(link, owner):
    assert owner_of(link) == owner


# By stake


def test_the_places_go_to_the_most_stake():
    staked = [facts(number, stake_rao=stake) for number, stake in enumerate((50, 30, 40, 20), 1)]
    assert accepted(*staked, rules=rules(most_entrants=2)) == [1, 3]
    assert accepted(*staked, rules=rules(most_entrants=4)) == [1, 2, 3, 4]
    told = reason(*staked, rules=rules(most_entrants=2))
    assert "boosted stake 20 rao" in told and "the last has 40 rao" in told and "raise the stake" in told


def test_earlier_tournaments_lift_the_stake_up_to_a_quarter():
    """reference §1.3: 5 % for each, at most 25 %; exactly, so that one rao decides."""
    boosted = [boosted_stake(facts(1, stake_rao=1000, completed=n), RULES) for n in (0, 1, 2, 5, 6, 100)]
    assert boosted == [1000, 1050, 1100, 1250, 1250, 1250]
    one_place = rules(most_entrants=1)
    assert accepted(facts(1, stake_rao=104), facts(2, stake_rao=100, completed=1), rules=one_place) == [2]
    assert accepted(facts(1, stake_rao=106), facts(2, stake_rao=100, completed=1), rules=one_place) == [1]
    huge = 21 * 10**15  # as a double, 21e15 × 1.05 would lose the last rao
    lifted = boosted_stake(facts(1, stake_rao=huge + 1, completed=1), RULES)
    assert lifted * 20 == (huge + 1) * 21


def test_equal_stakes_go_by_entry_then_by_hotkey():
    one_place = rules(most_entrants=1)
    assert accepted(facts(3), facts(2), facts(4), rules=one_place) == [2]
    assert accepted(facts(3, registered_block=1), facts(2, registered_block=1), rules=one_place) == [2]


def test_who_may_not_play_takes_no_place():
    """Neither a copy nor an entry without a licence, however rich."""
    rich = [facts(2, stake_rao=10**12, tree=builders.source(1)), facts(3, stake_rao=10**12, licence_sha256=None)]
    assert accepted(facts(1), *rich, facts(4), rules=rules(most_entrants=2)) == [1, 4]


# Fees


def test_a_fee_that_the_balance_does_not_cover_is_asked_for():
    asked = rules(fee_rao=FEE)
    assert reason(facts(1, balance_rao=FEE), rules=asked) is None
    told = reason(facts(1, balance_rao=50), rules=asked)
    assert "is 50 rao" in told and f"transfer {FEE - 50} rao" in told and ADDRESS in told


def test_of_two_hotkeys_with_money_for_one_the_earlier_plays():
    both = [facts(number, coldkey=builders.coldkey(1), balance_rao=FEE + 10) for number in (2, 1)]
    assert accepted(*both, rules=rules(fee_rao=FEE)) == [1]
    told = next(e.reason for e in judged(*both, rules=rules(fee_rao=FEE)) if e.hotkey == builders.hotkey(2))
    assert "leave 10 rao" in told and f"transfer {FEE - 10} rao" in told


def test_who_is_refused_for_another_reason_leaves_the_money_to_the_next():
    mine = {"coldkey": builders.coldkey(1), "balance_rao": FEE}
    assert accepted(facts(1, licence_sha256=None, **mine), facts(2, **mine), rules=rules(fee_rao=FEE)) == [2]


def test_money_that_is_spent_already_covers_nothing():
    """Another tournament took fees from what came after this one's closing block."""
    told = reason(facts(1, balance_rao=-30), rules=rules(fee_rao=FEE))
    assert f"transfer {FEE + 30} rao" in told


# Whoever enters, in whatever order

DRAWN_RULES = st.builds(
    lambda **changes: rules(**changes),
    most_entrants=st.none() | st.integers(1, 5),
    entries_per_coldkey=st.none() | st.integers(1, 2),
    entries_per_owner=st.none() | st.integers(1, 2),
    fee_rao=st.sampled_from([0, FEE]),
    minimum_stake_rao=st.integers(0, 30),
    stake_boost=st.sampled_from([Decimal("0.05"), Decimal("0.333")]),
)


@st.composite
def fields(draw, most: int = 9) -> list[EntryFacts]:
    """Entrants of few coldkeys, owners, trees and blocks, so that they get in each other's way."""
    numbers = draw(st.lists(st.integers(1, 20), max_size=most, unique=True))
    money = {coldkey: draw(st.integers(-FEE, 3 * FEE)) for coldkey in range(4)}
    return [draw(entrants(number, money)) for number in numbers]


@st.composite
def entrants(draw, number: int, money: dict[int, int]) -> EntryFacts:
    coldkey, owner = draw(st.integers(0, 3)), draw(st.sampled_from(["a", "A", "b", "c"]))
    claim = EntryClaim(
        kind=TournamentKind.TEXT, repository=f"https://github.com/{owner}/{number}", commit=builders.commit(number)
    )
    return facts(
        number,
        coldkey=builders.coldkey(coldkey),
        balance_rao=money[coldkey],
        payload=draw(st.sampled_from([claim.payload] * 9 + ["nonsense"])),
        stake_rao=draw(st.integers(0, 100)),
        completed=draw(st.integers(0, 7)),
        registered_block=draw(st.integers(1, 4)),
        tree=draw(st.none() | st.integers(1, 6).map(builders.source)),
        licence_sha256=draw(st.sampled_from([builders.sha256("licence")] * 5 + [None])),
    )


@given(st.permutations([facts(i, tree=builders.source(i // 2)) for i in range(1, 9)]))
def test_the_order_that_facts_come_in_never_matters(given_):
    assert judged(*given_) == judged(*sorted(given_, key=lambda fact: fact.hotkey))


@given(fields(), DRAWN_RULES, st.randoms())
def test_the_order_never_matters_under_any_rules(field, drawn, random):
    shuffled = random.sample(field, len(field))
    assert judged(*shuffled, rules=drawn) == judged(*field, rules=drawn)


@given(fields(), DRAWN_RULES, st.data())
def test_one_more_entry_helps_nobody_who_was_there_before_it(field, drawn, data):
    """Else miners could be let in by entering a friend."""
    later = data.draw(entrants(21, dict.fromkeys(range(4), 0))).model_copy(update={"registered_block": 5})
    money = {fact.coldkey: fact.balance_rao for fact in field}
    later = later.model_copy(update={"balance_rao": money.get(later.coldkey, FEE)})
    with_it = set(accepted(*field, later, rules=drawn)) - {21}
    assert with_it <= set(accepted(*field, rules=drawn))


@given(fields(), DRAWN_RULES)
def test_charges_never_exceed_balances(field, drawn):
    """What record_entries takes is one fee for each accepted entry, and nothing from anybody else."""
    money = {fact.coldkey: fact.balance_rao for fact in field}
    playing = [entry for entry in judged(*field, rules=drawn) if entry.status is EntryStatus.ACCEPTED]
    charges = {coldkey: drawn.fee_rao * n for coldkey, n in Counter(entry.coldkey for entry in playing).items()}
    assert all(charge <= money[coldkey] for coldkey, charge in charges.items() if charge)


@given(fields(), DRAWN_RULES)
def test_limits_hold_and_every_refusal_says_why(field, drawn):
    entries = judged(*field, rules=drawn)
    assert {entry.hotkey for entry in entries} == {fact.hotkey for fact in field}
    playing = [entry for entry in entries if entry.status is EntryStatus.ACCEPTED]
    assert len(playing) <= (drawn.most_entrants or len(field))
    for limit, whose in (
        (drawn.entries_per_coldkey, [entry.coldkey for entry in playing]),
        (drawn.entries_per_owner, [owner_of(entry.repository) for entry in playing]),
        (1, [entry.tree for entry in playing]),
    ):
        assert all(whose.count(one) <= (limit or len(whose)) for one in whose)
    assert all(bool(entry.reason) == (entry.status is EntryStatus.REFUSED) for entry in entries)


@given(fields(), DRAWN_RULES)
def test_places_are_never_left_empty_for_want_of_stake(field, drawn):
    """Who is refused for the stake alone would play if there were a place more; then nobody else falls out."""
    entries = judged(*field, rules=drawn)
    outstaked = [entry for entry in entries if entry.reason and "boosted stake" in entry.reason]
    if outstaked:
        assert drawn.most_entrants == len(accepted(*field, rules=drawn))
        roomier = drawn.model_copy(update={"most_entrants": drawn.most_entrants + 1})
        assert set(accepted(*field, rules=drawn)) < set(accepted(*field, rules=roomier))
