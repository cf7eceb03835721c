"""Evidence of any shape: kinds, rounds, gains, who was best, who still plays."""

from hypothesis import strategies as st

from tests import builders
from tests.tournament.emission import documents as made

gains = st.decimals(-1, 2, places=6).map(str)


@st.composite
def knockouts(draw):
    """Who goes out in each round, and who challenges (perhaps nobody)."""
    miners = draw(st.permutations(range(1, draw(st.integers(1, 12)) + 1)))
    challenger = draw(st.sampled_from([miners[0], None]))
    left, outs = list(miners[1:] if challenger else miners), []
    while left:
        count = draw(st.integers(1, len(left)))
        outs.append(left[:count])
        left = left[count:]
    return outs, challenger


@st.composite
def tournaments(draw, emissions, kind):
    outs, challenger = draw(knockouts())
    miners = [miner for out in outs for miner in out] + ([challenger] if challenger else [])
    best = draw(st.lists(st.tuples(st.integers(1, len(outs) + 1), st.sampled_from(miners)), max_size=8))
    return made.tournament(
        emissions[kind],
        outs,
        challenger,
        changed_hands=challenger is not None and draw(st.booleans()),
        champion=draw(st.sampled_from([made.OLD, *map(builders.hotkey, miners)])),
        kind=kind,
        challenges=[made.won(number, miner) for number, miner in best],
        gain=draw(gains),
        streak=draw(st.integers(0, 30)),
        entrants_before=draw(st.lists(st.integers(0, 256), max_size=6)),
        runner_up_is_paid=draw(st.booleans()),
    )


@st.composite
def documents(draw, emissions):
    kinds = draw(st.sampled_from([[made.TEXT], [made.IMAGE], [made.TEXT, made.IMAGE]]))
    playing = draw(st.lists(st.integers(1, 40).map(builders.hotkey), unique=True)) if emissions is made.CLASSIC else []
    return made.evidence(*(draw(tournaments(emissions, kind)) for kind in kinds), playing=playing)


of_any_policy = st.one_of(documents(made.CLASSIC), documents(made.PODIUM))
