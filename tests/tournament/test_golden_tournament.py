"""A whole tournament worked by hand, under `classic` and again under `calibrated` rules.

Sixteen miners (and one refused at the door) play from the hash of block 4,200,187. Every expected value below was
worked on paper from the values in the tables; none is computed by the code under test.
"""

import pytest

from core.ids import CHAMPION
from core.tournament import TournamentKind, TournamentStatus
from tests import builders
from tests.tournament.by_hand import (
    BLOCK,
    BURN,
    CRASH,
    DPO,
    FIRST,
    GRPO,
    INSTRUCT,
    OLD,
    OURS,
    REFUSAL,
    SEED,
    assert_drawn_from_the_seed,
    evidence_of,
    examples_of,
    groups,
    miner,
    places,
    played,
    programme,
    rewarded,
    rows,
    table_of,
)
from tournament import weights
from tournament.budget import with_budget
from tournament.rules import CALIBRATED_IMAGE, CALIBRATED_TEXT, CLASSIC_TEXT, DAY_BLOCKS
from tournament.title import next_champion, title_gain

# By round, challenge and contestant: a miner's number, 0 for the champion, −1 for its mirror.
CLASSIC_VALUES = {
    (1, "g1c1"): FIRST,
    # Over the two: a 1 and 3/4, b 1 and 1/2. 3/4 + 1/4 − 1/2 × 1 = 0.5 against 9/16 + 1/8 = 0.6875.
    (2, "g1c1"): {1: rewarded(2.0, 4.0, kl=1.0), 2: rewarded(1.5, 2.0, kl=0.0)},
    (2, "g2c1"): {5: 0.5, 8: 0.5},
    (2, "g3c1"): {3: CRASH, 16: REFUSAL},
    (2, "g4c1"): {6: 1.0, 7: 0.95},
    (3, "g1c1"): {5: OURS, 7: rewarded(1.0, 1.0, kl=0.5)},
    (3, "g2c1"): {2: 1.2, 4: 1.1},
    (4, "g1c1"): {5: 0.64, 7: 0.6},
    (5, "g1c1"): {4: 1.0, 7: 1.25},
    (6, "g1c1"): {0: 1.25, 4: 1.0},
    (6, "g1c2"): {0: 1.0, 4: 0.95},
    (6, "g1c3"): {0: 2.0, 4: CRASH},
    (6, "g1c4"): {0: OURS, 4: 0.5},
    # a 3/4 and 1, b 1 and 1. 9/16 + 1/4 = 0.8125 against 1 − 1/2 × 1/8 = 0.9375.
    (6, "g1c5"): {0: rewarded(0.75, 1.0, kl=0.0), 4: rewarded(1.0, 1.0, kl=0.125)},
    # Of two with a negative one: a 1/4 and 3/4; b 1 and 1/2. 3/16 + 1/4 − 1/4 = 0.1875 against 9/16 + 1/8 = 0.6875.
    (6, "g1c6"): {0: rewarded(-4.0, 1.0, kl=0.5), 4: rewarded(-2.0, 0.5, kl=0.0)},
}


@pytest.fixture(scope="module")
def classic():
    return played(CLASSIC_TEXT, CLASSIC_VALUES, champion=builders.champion(streak=2))


def test_classic_who_meets_whom(classic):
    """Nine go on, so that 4 has a bye; of 3 and 16 neither has a result; 5 and 7 meet again, for we failed at 5."""
    assert groups(classic) == [
        [[8, 11, 10, 5, 1, 14, 12, 16, 9, 6, 13, 2, 7, 15, 3, 4]],
        [[1, 2], [5, 8], [16, 3], [7, 6], [4]],
        [[5, 7], [2, 4]],
        [[5, 7], [4]],
        [[4, 7]],
        [[0, 4]],
    ]
    assert_drawn_from_the_seed(classic)


def test_classic_what_is_played(classic):
    """A kind is DPO below 0.1875, GRPO below 0.5, else instruct; a title's model is big below 0.2."""
    assert programme(classic) == [
        ("r1-g1-c1", INSTRUCT, "small", 2),
        ("r2-g1-c1", GRPO, "small", 5),
        ("r2-g2-c1", DPO, "small", 5),
        ("r2-g3-c1", INSTRUCT, "small", 3),
        ("r2-g4-c1", INSTRUCT, "small", 4),
        ("r3-g1-c1", GRPO, "small", 4),
        ("r3-g2-c1", INSTRUCT, "small", 5),
        ("r4-g1-c1", DPO, "small", 4),
        ("r5-g1-c1", INSTRUCT, "small", 5),
        ("r6-g1-c1", INSTRUCT, "small", 4),
        ("r6-g1-c2", INSTRUCT, "small", 5),
        ("r6-g1-c3", DPO, "big", 5),
        ("r6-g1-c4", DPO, "small", 3),
        ("r6-g1-c5", GRPO, "big", 3),
        ("r6-g1-c6", GRPO, "small", 3),
    ]


def test_classic_the_group(classic):
    """Eight places; of 8 and 9, level, the earlier entry has the last. 16 goes through besides: we failed at it."""
    through = {1: 1, 2: 2, 3: 3, 4: 4, 5: 4, 6: 6, 7: 7, 8: 8}
    out = {9: 8, 10: 10, 11: 11, 12: 12}
    expected = {n: (rank, FIRST[n], True) for n, rank in through.items()}
    expected |= {n: (rank, FIRST[n], False) for n, rank in out.items()}
    expected |= {n: (13, None, n == 16) for n in (13, 14, 15, 16)}
    assert table_of(classic, 1) == expected
    reasons = {s.contestant: s.reason for s in classic.results[0].standings if s.reason}
    assert reasons == {
        miner(13): CRASH,
        miner(14): REFUSAL,
        miner(15): "disqualified: its code phones home",
        miner(16): OURS,
    }


def test_classic_the_gaps(classic):
    """To miner 9, for those who are out to miner 8: ln 1.04 − ln 0.90 = 0.1445812…, ± 1.959964 × 0.007."""
    gaps = {s.contestant: s.gap for s in classic.results[0].standings if s.gap}
    told = {number: gaps[miner(number)] for number in (1, 8, 9, 12)}
    assert {n: (gap.against, gap.gain) for n, gap in told.items()} == {
        1: (miner(9), "0.144581228811"),
        8: (miner(9), "0.000000000000"),
        9: (miner(8), "0.000000000000"),
        12: (miner(8), "-0.037740327983"),
    }
    assert (told[1].low, told[1].high) == ("0.130861480811", "0.158300976811")
    assert len(gaps) == 12


def test_classic_the_pairs(classic):
    assert table_of(classic, 2) == {
        1: (2, 0.5, False),
        2: (1, 0.6875, True),
        5: (1, 0.5, True),
        8: (2, 0.5, False),
        3: (2, None, False),
        16: (2, None, False),
        6: (2, 1.0, False),
        7: (1, 0.95, True),
        4: (1, None, True),
    }
    assert table_of(classic, 3) == {5: (1, None, True), 7: (1, 0.3, True), 2: (2, 1.2, False), 4: (1, 1.1, True)}
    assert table_of(classic, 4) == {5: (2, 0.64, False), 7: (1, 0.6, True), 4: (1, None, True)}
    assert table_of(classic, 5) == {4: (1, 1.0, True), 7: (2, 1.25, False)}


def test_classic_the_title(classic):
    """Margin 10 % × 0.8 = 8 %. Of five that count the challenger takes 1, 5 and 6.

    1: 1 ≤ 1.25 × 0.92 = 1.15.   2: 0.95 > 0.92.   3: it crashed.   4: ours.   5: 0.9375 ≥ 0.8125 × 1.08 = 0.8775.
    6: 0.6875 ≥ 0.1875 × 1.08 = 0.2025.
    """
    title = classic.tournament.title
    assert (title.threshold, title.changed_hands, title.winner) == ("0.080", True, miner(4))
    assert [(c.champion_value, c.challenger_value, c.winner) for c in title.challenges] == [
        (1.25, 1.0, miner(4)),
        (1.0, 0.95, CHAMPION),
        (2.0, None, CHAMPION),
        (None, 0.5, None),
        (0.8125, 0.9375, miner(4)),
        (0.1875, 0.6875, miner(4)),
    ]
    assert title.why == "the challenger won 3 of 5 challenges and needed more than half"
    assert title.test is None


def test_classic_the_performance_difference(classic):
    """1/4, 1/19, 2/13 and 8/3; between 2/13 and 1/4 lies 21/104."""
    assert classic.tournament.title.performance_difference == "0.201923076923"


def test_classic_who_defends_next(classic):
    champion = next_champion(classic)
    assert (champion.hotkey, champion.streak, champion.won) == (builders.hotkey(4), 1, "text-0001")
    assert (champion.commit, champion.tree) == (builders.commit(4), builders.source(4))
    assert title_gain([classic.tournament]) == (1, "0.201923076923")


def test_classic_the_final_positions(classic):
    """By the round of leaving; who has a value before who has none, then by rank, and the level share."""
    (document,) = evidence_of(classic).tournaments
    assert places(document) == [
        (1, miner(4), 6),
        (2, CHAMPION, 6),
        (3, miner(7), 5),
        (4, miner(5), 4),
        (5, miner(2), 3),
        *[(6, miner(n), 2) for n in (1, 6, 8)],
        *[(9, miner(n), 2) for n in (16, 3)],
        (11, miner(9), 1),
        (12, miner(10), 1),
        (13, miner(11), 1),
        (14, miner(12), 1),
        *[(15, miner(n), 1) for n in (13, 14)],
    ]
    assert [(r.position, r.hotkey, r.commit) for r in document.released] == [
        (1, builders.hotkey(4), builders.commit(4)),
        (2, OLD, builders.commit(900)),
    ]


def test_classic_the_evidence(classic):
    (document,) = evidence_of(classic).tournaments
    assert (document.seed, document.champion_before, document.streak) == (SEED, OLD, 1)
    assert document.title_gain == "0.201923076923" and document.standings == classic.results
    assert [(c.round_number, c.challenge_id[10:], len(c.results)) for c in document.challenges] == [
        (1, "r1-g1-c1", 16),
        *[(2, f"r2-g{group}-c1", 2) for group in (1, 2, 3, 4)],
        (3, "r3-g1-c1", 2),
        (3, "r3-g2-c1", 2),
        (4, "r4-g1-c1", 2),
        (5, "r5-g1-c1", 2),
        *[(6, f"r6-g1-c{place}", 2) for place in range(1, 7)],
    ]
    assert {r.contestant: r.value for r in document.challenges[1].results} == {miner(1): 0.5, miner(2): 0.6875}
    assert document.disqualified == {builders.hotkey(15): "its code phones home"}


def test_classic_the_weights(classic):
    """Points: 7 has 2 + 3 + 4; 2, 5 and 8 have 2 each; 1 has 1 (the best of all is disqualified).

    Places: 4 (holds the title), 7, the three, 1. Shares 1, 0.3, 0.3³ each, 0.3⁵ of 1 + … + 0.3⁵ = 1.42753.
    Pool 0.15 + 2 × (0.201923076923 − 0.05) = 0.453846153846; two who play elsewhere leave 0.9998 of everything.
    """
    evidence = evidence_of(classic, participants=(builders.hotkey(40), builders.hotkey(41)))
    assert weights.of(evidence) == {
        builders.hotkey(4): "0.317860489527",
        builders.hotkey(7): "0.031516675656",
        builders.hotkey(2): "0.002836500809",
        builders.hotkey(5): "0.002836500809",
        builders.hotkey(8): "0.002836500809",
        builders.hotkey(1): "0.000255285072",
        builders.hotkey(40): "0.000100000000",
        builders.hotkey(41): "0.000100000000",
        BURN: "0.641658047318",
    }


CALIBRATED_VALUES = {
    (1, "g1c1"): FIRST,
    (2, "g1c1"): {1: 1.01, 2: 0.99, 16: 1.30, 3: CRASH, 4: 1.05},
    (3, "g1c1"): {2: -0.20, 4: -0.21},
    (3, "g2c1"): {1: 1.000, 16: 0.999},
    (4, "g1c1"): {1: 0.69, 16: 0.68},
    (5, "g1c1"): {2: 0.90, 16: 0.95},
    (6, "g1c1"): {0: 1.00, 2: 0.98, -1: 1.001},
    (6, "g1c2"): {0: OURS, 2: 0.7, -1: 0.6},
    (6, "g1c3"): {0: 0.50, 2: 0.49, -1: 0.51},
    (7, "g1c1"): {0: 1.25, 2: 1.22},
    (8, "g1c1"): {0: -0.30, 2: -0.28},
    (8, "g1c2"): {0: 0.60, 2: 0.585},
    (8, "g1c3"): {0: 1.10, 2: 1.08},
}


BETTER, WORSE = rows(1.9, 2.95, 4.95), rows(2.0, 3.0, 5.0)
"""Shares of the sum differ by −6, 1 and 5 parts in 980: s.e. of the gain √(62 × 3/2) / 980 = 0.009840459960."""


@pytest.fixture(scope="module")
def calibrated():
    """The last match of the kind was fourteen days ago; the champion's code has never played a duel."""
    last = builders.tournament(
        9, status=TournamentStatus.FINISHED, opened_block=0, closing_block=BLOCK - 14 * DAY_BLOCKS
    )
    last = last.model_copy(update={"title": builders.title_result(5, changed_hands=False)})
    rules = with_budget(CALIBRATED_TEXT, [last], BLOCK)
    examples = examples_of("text-0001-r1-g1-c1", {3: BETTER, 5: WORSE})
    examples |= examples_of("text-0001-r6-g1-c1", {2: BETTER, 0: WORSE})
    return played(rules, CALIBRATED_VALUES, examples, champion=builders.champion(streak=3))


def test_calibrated_the_budget(calibrated):
    """14 days of 0.05 a year are 0.001917808219…, of which the largest α of the table is spent; the champion duels."""
    title = calibrated.tournament.rules["title"]
    assert (title["alpha"], title["duel"]) == ("0.0019178", True)


def test_calibrated_who_meets_whom(calibrated):
    """1 and 16 are undecided and meet again; the title match goes on after three challenges, for one was ours.

    The champion's code duels itself in the first round of the match only.
    """
    assert groups(calibrated) == [
        [[8, 11, 10, 5, 1, 14, 12, 16, 9, 6, 13, 2, 7, 15, 3, 4]],
        [[1, 2, 16, 3, 4]],
        [[2, 4], [1, 16]],
        [[1, 16], [2]],
        [[16, 2]],
        [[0, 2, -1]],
        [[0, 2]],
        [[0, 2]],
    ]
    assert_drawn_from_the_seed(calibrated)


def test_calibrated_what_is_played(calibrated):
    """The title's kinds go round: instruct, GRPO, DPO."""
    assert [(name, kind, hours) for name, kind, _, hours in programme(calibrated)] == [
        ("r1-g1-c1", INSTRUCT, 2),
        ("r2-g1-c1", INSTRUCT, 2),
        ("r3-g1-c1", GRPO, 4),
        ("r3-g2-c1", INSTRUCT, 5),
        ("r4-g1-c1", DPO, 4),
        ("r5-g1-c1", INSTRUCT, 5),
        ("r6-g1-c1", INSTRUCT, 4),
        ("r6-g1-c2", GRPO, 5),
        ("r6-g1-c3", DPO, 5),
        ("r7-g1-c1", INSTRUCT, 4),
        ("r8-g1-c1", GRPO, 3),
        ("r8-g1-c2", DPO, 4),
        ("r8-g1-c3", INSTRUCT, 4),
    ]


def test_calibrated_the_groups(calibrated):
    """Four places; of 4 and 5, level, the earlier entry has the last. In the second nobody leaves but who crashed."""
    ranks = {1: 1, 2: 2, 3: 3, 4: 4, 5: 4, 6: 6, 7: 7, 8: 8, 9: 8, 10: 10, 11: 11, 12: 12}
    expected = {n: (rank, FIRST[n], n <= 4) for n, rank in ranks.items()}
    expected |= {n: (13, None, n == 16) for n in (13, 14, 15, 16)}
    assert table_of(calibrated, 1) == expected
    assert table_of(calibrated, 2) == {
        2: (1, 0.99, True),
        1: (2, 1.01, True),
        4: (3, 1.05, True),
        16: (4, 1.30, True),
        3: (5, None, False),
    }


def test_calibrated_the_gaps(calibrated):
    """3 to 5: ln(1 / 0.98), with the examples' error and training's: √(0.00984² + 0.007²) = 0.012076201896."""
    gaps = {s.contestant: s.gap for s in calibrated.results[0].standings}
    three, four, twelve = (gaps[miner(n)] for n in (3, 4, 12))
    assert (three.against, three.gain) == (miner(5), "0.020202707318")
    assert (three.low, three.high) == ("-0.003466213655", "0.043871628291")
    assert (four.against, four.gain, four.high) == (miner(5), "0.000000000000", "0.013719748000")
    assert (twelve.against, twelve.gain) == (miner(4), "-0.076961041136")


def test_calibrated_the_pairs_and_the_decider(calibrated):
    """Undecided below half of 0.7 %: 0.10 % is, 1 % is not. After the decider the mean of both counts.

    (0.001000500334 + 0.014598799421) / 2 = 0.0077996498775, to the even last place.
    """
    assert table_of(calibrated, 3) == {
        2: (1, -0.2, True),
        4: (2, -0.21, False),
        1: (1, 1.0, True),
        16: (1, 0.999, True),
    }
    assert table_of(calibrated, 4) == {1: (2, 0.69, False), 16: (1, 0.68, True), 2: (1, None, True)}
    (gap,) = [s.gap for s in calibrated.results[3].standings if s.gap]
    assert (gap.against, gap.gain) == (miner(16), "-0.007799649878")
    assert (gap.low, gap.high) == ("-0.017500976724", "0.001901676968")
    assert table_of(calibrated, 5) == {16: (2, 0.95, False), 2: (1, 0.9, True)}


def test_calibrated_the_title_match_goes_on(calibrated):
    """At 3: mean 0.0215660, s.d. 0.0023614, t = 15.8 of 96.873. Everybody is level and only the mirror stays."""
    ranks = [
        {number: (rank, goes_on) for number, (rank, _, goes_on) in table_of(calibrated, round_).items()}
        for round_ in (6, 7, 8)
    ]
    assert ranks[0] == {0: (1, True), 2: (1, True), -1: (1, False)}
    assert ranks[1:] == [{0: (1, True), 2: (1, True)}, {0: (2, False), 2: (1, True)}]


def test_calibrated_the_title(calibrated):
    """Sum 0.128365053856 over 6; squares about the mean 0.000037851460562; s = √(that / 5) = 0.0027514163828…

    t = 0.021394175643 / 0.001123261034 = 19.046486 ≥ 8.754, the second look's at α = 0.0019178. What 18 challenges
    would have found is (3.684 + 0.8416) × s / √18 = 0.0029, less than the least gain that a title is given for.
    """
    title = calibrated.tournament.title
    assert (title.changed_hands, title.winner, title.threshold) == (True, miner(2), "0.005")
    assert title.test.model_dump() == {
        "alpha": "0.0019178",
        "challenges": 6,
        "mean_gain": "0.021394175643",
        "standard_deviation": "0.002751416383",
        "statistic": "19.046486063282",
        "critical": "8.754",
        "low": "0.011561148545",
        "smallest_detectable_gain": "0.005",
    }


def test_calibrated_the_titles_challenges(calibrated):
    """ln 1 − ln 0.98; ours; ln 0.50 − ln 0.49; ln 1.25 − ln 1.22; −0.28 + 0.30; ln 0.60 − ln 0.585; …"""
    challenges = calibrated.tournament.title.challenges
    assert [c.gain for c in challenges] == [
        "0.020202707318",
        None,
        "0.020202707317",
        "0.024292692569",
        "0.020000000000",
        "0.025317807984",
        "0.018349138668",
    ]
    assert [c.winner for c in challenges] == [miner(2), None, *[miner(2)] * 5]
    assert [c.standard_error for c in challenges] == ["0.009840459960", *[None] * 6]
    assert [c.mirror_gain for c in challenges] == ["-0.000999500333", None, "-0.019802627296", *[None] * 4]


def test_calibrated_who_defends_next(calibrated):
    """Median of 1/49, 1/49, 3/122, 0.02, 1/39 and 1/54: 1/49 = 0.020408163265…"""
    assert title_gain([calibrated.tournament]) == (1, "0.020408163265")
    champion = next_champion(calibrated)
    assert (champion.hotkey, champion.streak, champion.tree) == (builders.hotkey(2), 1, builders.source(2))


def test_calibrated_the_final_positions(calibrated):
    (document,) = evidence_of(calibrated).tournaments
    assert places(document) == [
        (1, miner(2), 8),
        (2, CHAMPION, 8),
        (3, miner(16), 5),
        (4, miner(1), 4),
        (5, miner(4), 3),
        (6, miner(3), 2),
        (7, miner(5), 1),
        (8, miner(6), 1),
        (9, miner(7), 1),
        *[(10, miner(n), 1) for n in (8, 9)],
        (12, miner(10), 1),
        (13, miner(11), 1),
        (14, miner(12), 1),
        *[(15, miner(n), 1) for n in (13, 14)],
    ]


def test_calibrated_the_weights(calibrated):
    """Nobody has played for images: their 0.25 of 0.60 is burned. Of text's 7/12 the places have 16, 4 and 1 of 21.

    7/12 × 16/21 = 4/9, 7/12 × 4/21 = 1/9, 7/12 × 1/21 = 1/36; a gain of 2 % brings no boost. A burn hotkey that is
    paid has both.
    """
    evidence = evidence_of(calibrated, unplayed={TournamentKind.IMAGE: CALIBRATED_IMAGE.emission})
    assert weights.of(evidence) == {
        builders.hotkey(2): "0.444444444444",
        OLD: "0.111111111111",
        builders.hotkey(16): "0.027777777777",
        BURN: "0.416666666668",
    }
    burnt = evidence.model_copy(update={"burn_hotkey": OLD})
    assert weights.of(burnt)[OLD] == "0.527777777779"
