import pytest
from pydantic import ValidationError

from core.challenge import ChallengeKind
from core.ids import CHAMPION, MIRROR, Contestant
from core.tournament import RoundStatus, TournamentStatus
from core.value import canonical_json
from tests import builders
from tests.tournament.emission import documents as made
from tests.tournament.states import active, by_skill, ended, play
from tournament.evidence import Evidence, TournamentEvidence, entrants, participants, tournament_evidence
from tournament.rules import DEMO

REACHED = {1: 0.5, 2: 0.6, 3: 0.7, 4: "crashed: exit code 1", 5: "refused: not a fine-tune"}


def miner(number):
    return Contestant(builders.hotkey(number))


def finished(reached=REACHED):
    skill = {miner(number): value for number, value in reached.items()} | {CHAMPION: 1.0, MIRROR: 1.0}
    return play(active(builders.entries(len(reached)), DEMO), DEMO, by_skill(skill))


def test_every_challenge_keeps_every_result_and_its_report():
    state = finished()
    evidence = tournament_evidence(state, 1, "0")
    assert [c.challenge_id for c in evidence.challenges] == [c.challenge_id for c in state.challenges]
    first = {result.contestant: result for result in evidence.challenges[0].results}
    assert {contestant: result.value for contestant, result in first.items()} == {
        miner(number): value if isinstance(value, float) else None for number, value in REACHED.items()
    }
    evaluated = {e.evaluation_id: e.report for e in state.evaluations}
    scored = [result for challenge in evidence.challenges for result in challenge.results if result.value is not None]
    assert scored and all(result.report == evaluated[result.evaluation_id] for result in scored)
    assert first[miner(4)].reason == REACHED[4] and first[miner(5)].reason == REACHED[5]
    assert {challenge.kind for challenge in evidence.challenges} == {ChallengeKind.INSTRUCT}


def test_final_positions_and_released_code_are_told():
    evidence = tournament_evidence(finished(), 1, "0")
    assert [place.contestant for place in evidence.positions][:3] == [miner(1), CHAMPION, miner(2)]
    assert [code.repository for code in evidence.released] == [builders.repository(1), builders.repository(900)]


def test_the_document_survives_its_publication():
    evidence = made.evidence(tournament_evidence(finished(), 1, "0.1"), playing=[builders.hotkey(3)])
    assert Evidence.model_validate_json(canonical_json(evidence)) == evidence


def test_positions_that_do_not_follow_from_the_standings_are_refused():
    document = tournament_evidence(finished(), 1, "0").model_dump(mode="json")
    document["positions"][0], document["positions"][1] = document["positions"][1], document["positions"][0]
    with pytest.raises(ValidationError, match="text-0001: the positions do not follow"):
        TournamentEvidence.model_validate(document)


def test_superseded_rounds_are_left_out():
    """A round that was played again counts by its second play alone."""
    state = finished()
    old = state.rounds[0].model_copy(
        update={
            "status": RoundStatus.SUPERSEDED,
            "plan": state.rounds[0].plan.model_copy(update={"round_id": "text-0001-r1-old"}),
        }
    )
    undone = state.results[0].model_copy(update={"round_id": "text-0001-r1-old"})
    again = state.model_copy(update={"rounds": (old, *state.rounds), "results": (undone, *state.results)})
    assert tournament_evidence(again, 1, "0") == tournament_evidence(state, 1, "0")


def test_the_disqualified_are_named_and_have_neither_position_nor_value():
    state = finished().model_copy(update={"disqualified": {builders.hotkey(2): "copied code"}})
    evidence = tournament_evidence(state, 1, "0")
    assert evidence.disqualified == {builders.hotkey(2): "copied code"}
    assert miner(2) not in [place.contestant for place in evidence.positions]
    values = [r.value for c in evidence.challenges for r in c.results if r.contestant == miner(2)]
    assert values and set(values) == {None}


def test_a_tournament_that_is_not_finished_gives_no_evidence():
    with pytest.raises(ValueError, match="tournament text-0001 is not finished"):
        tournament_evidence(active(builders.entries(2), DEMO), 1, "0")


def test_refused_entries_are_no_entrants():
    state = active([*builders.entries(3), builders.refused_entry(4)], DEMO)
    assert entrants(state) == 3


def test_participants_are_those_of_active_tournaments_who_are_not_out():
    state = active([*builders.entries(4), builders.refused_entry(5)], DEMO)
    everybody = tuple(sorted(builders.hotkey(number) for number in (1, 2, 3, 4)))
    assert participants([state]) == everybody
    assert participants([ended(state, TournamentStatus.HALTED)]) == everybody
    assert participants([ended(state, TournamentStatus.COLLECTING)]) == ()
    assert participants([finished()]) == ()


def test_who_is_out_participates_no_longer():
    state = finished()
    after_round_one = ended(
        state.model_copy(update={"rounds": state.rounds[:1], "results": state.results[:1]}), TournamentStatus.ACTIVE
    )
    assert participants([after_round_one]) == tuple(sorted(builders.hotkey(number) for number in (1, 2)))
