"""Errors in final positions, evidence and weights."""

from tests.mutations.planting import planted

ERRORS = (
    *planted(
        "positions.py",
        "test_positions test_golden_tournament",
        (
            "the dethroned is first",
            "[*challenger, CHAMPION] if title.changed_hands",
            "[*challenger, CHAMPION] if not title.changed_hands",
        ),
        ("one position too high", "(3 + bisect_left(", "(2 + bisect_left("),
        ("the earliest out is third", "return -result.number, standing", "return result.number, standing"),
        (
            "who failed comes first",
            "standing.value is None, standing.rank",
            "standing.value is not None, standing.rank",
        ),
        ("the worst rank comes first", "is None, standing.rank", "is None, -standing.rank"),
        ("the first round of each counts", "key=lambda result: result.number)", "key=lambda result: -result.number)"),
        ("the runner-up keeps its code", "if place.position <= RELEASED", "if place.position < RELEASED"),
        ("the disqualified have positions", "if contestant not in out_of_it\n", "if True\n"),
        (
            "the champion's code is the winner's",
            "codes[CHAMPION] = state.tournament.champion",
            "codes[CHAMPION] = state.entries[0]",
        ),
    ),
    *planted(
        "evidence.py",
        "test_evidence test_golden_tournament emission/test_classic",
        ("the worst is best", "is Direction.SCORE else min(values", "is Direction.LOSS else min(values"),
        ("the mirror collects", "is not None and r.contestant != MIRROR}", "is not None}"),
    ),
    *planted(
        "weights.py",
        "test_weights test_golden_tournament",
        ("rounded up", "int(share * 10**PLACES)", "-int(-share * 10**PLACES // 1)"),
        ("nothing is burned", "+ 10**PLACES - sum(units.values())", "+ 0"),
        ("the burn hotkey's own share is lost", "units.get(evidence.burn_hotkey, 0) + 10**PLACES", "10**PLACES"),
        ("shares of the sum", "largest = max(shares.values())", "largest = sum(shares.values())"),
        (
            "who left is burned anew",
            "shares[uids.get(hotkey, uids[burn_hotkey])] +=",
            "shares[uids.get(hotkey, uids[burn_hotkey])] =",
        ),
    ),
    *planted(
        "emission/arithmetic.py",
        "emission/test_arithmetic test_golden_tournament",
        (
            "a boost below zero",
            "max(Fraction(0), Fraction(gain) - Fraction(threshold)) *",
            "(Fraction(gain) - Fraction(threshold)) *",
        ),
        ("a boost without a threshold", "Fraction(gain) - Fraction(threshold))", "Fraction(gain))"),
    ),
    *planted(
        "emission/classic.py",
        "emission/test_classic test_golden_tournament",
        ("the pool has no cap", "return min(Fraction(rules.most)", "return max(Fraction(rules.most)"),
        (
            "the champion is not paid",
            "places = [[champion], *_ranked(points(tournament))]",
            "places = _ranked(points(tournament))",
        ),
        ("the boost decays at once", "* max(0, tournament.streak - 1)", "* tournament.streak"),
        ("the boost grows", "rules.boost_rate) - decay)", "rules.boost_rate) + decay)"),
        (
            "the champion has points",
            "if contestant not in (CHAMPION, tournament.title.winner):",
            "if contestant != CHAMPION:",
        ),
        ("a point is a point", "+= challenge.round_number", "+= 1"),
        ("the fewest points first", "set(collected.values()), reverse=True)", "set(collected.values()))"),
        ("participants take all", "return min(Fraction(max(", "return max(Fraction(max("),
        ("no room for participants", "room = 1 - each * len(evidence.participants)", "room = Fraction(1)"),
        ("a tie at its worst rank", "before + Fraction(size - 1, 2)", "before + Fraction(size - 1)"),
        ("the boost for everybody", "(whole if hotkey == champion else base)", "whole"),
    ),
    *planted(
        "emission/podium.py",
        "emission/test_podium test_golden_tournament",
        ("the cap is the least", "kind: min(Fraction(rules.most)", "kind: max(Fraction(rules.most)"),
        ("the champion is not paid", "summed([{tournament.title.winner: left}, *earned])", "summed(earned)"),
        ("round 1 earns", "and p.round_number > 1]", "and p.round_number >= 1]"),
        ("two places", "if 1 < p.position <= rules.places", "if 1 < p.position < rules.places"),
        (
            "the floor is the cap",
            "max(Fraction(constants[kind].balance_floor)",
            "min(Fraction(constants[kind].balance_floor)",
        ),
        ("the kind with more entrants gains", "anchored * entered / known[kind]", "anchored * known[kind] / entered"),
        ("one entrant too few", "if count >= rules.balance_least_entrants", "if count > rules.balance_least_entrants"),
        ("the runner-up is paid for ever", "paid = others if tournament.runner_up_is_paid else []", "paid = others"),
        ("pools are not shares", "pool / whole for kind", "pool for kind"),
        ("level places take the best each", ", Fraction(0)) / level / sum(ladder", ", Fraction(0)) / sum(ladder"),
    ),
)
