"""The year's α budget of a kind: it accrues with the chain's blocks, and each title match may spend what has accrued.

Matches at blocks b₁ < b₂ < … spend at most α_year × (bᵢ − bᵢ₋₁) / year each, and never more than the largest tabulated
α (14 days of the budget), so that no year holds more than its budget and what its first match brought along, however
many tournaments are played in it. What a match leaves unspent is gone.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from core.tournament import Tournament
from tournament.merit import as_decimal
from tournament.rules import YEAR_BLOCKS, PooledTitle, TournamentRules


def alpha_of(finished: Sequence[Tournament], closing_block: int, title: PooledTitle) -> Decimal:
    """What the match of a tournament that closes its entries at this block may spend.

    Args:
        finished: Finished tournaments of the kind, newest first.
    """
    last = next((t for t in finished if t.title is not None and t.title.challenger is not None), None)
    if last is None:
        return as_decimal(Fraction(title.alpha_per_year) * title.alpha_days / 365)
    accrued = Fraction(title.alpha_per_year) * (closing_block - last.closing_block) / YEAR_BLOCKS
    return min(title.boundaries[-1].alpha, as_decimal(accrued))


def is_duel_due(finished: Sequence[Tournament], closing_block: int, title: PooledTitle) -> bool:
    """Whether the champion's code duels itself in this tournament's title match."""
    if title.duel_blocks is None:
        return False
    duels = [t.closing_block for t in finished if t.title and any(c.mirror_gain for c in t.title.challenges)]
    return not duels or closing_block - max(duels) >= title.duel_blocks


def with_budget(rules: TournamentRules, finished: Sequence[Tournament], closing_block: int) -> TournamentRules:
    """The rules as they are copied into the row of a tournament that opens now."""
    title = rules.title
    if not isinstance(title, PooledTitle):
        return rules
    terms = {"alpha": alpha_of(finished, closing_block, title), "duel": is_duel_due(finished, closing_block, title)}
    return rules.model_copy(update={"title": title.model_copy(update=terms)})
