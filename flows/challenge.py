"""Prepare one challenge: the same model and rows for everybody, the test rows for nobody."""

from typing import Any

from prefect import flow

from core.challenge import ChallengePlan
from core.errors import IntegrityError, PrerequisiteError
from flows.trial import try_challenge
from tasks.challenges import prepare_data, record_failed, record_ready
from tasks.dispatch import DispatchExhaustedError, see_through
from tasks.trials import draft_rewards, propose_trial, trial_work
from tournament.rules import TournamentRules


@flow(name="prepare-challenge", flow_run_name="prepare-{plan.challenge_id}")
def prepare_challenge(plan: ChallengePlan, rules: dict[str, Any]) -> None:
    """A model or dataset that does not serve fails the challenge with its reason; it is nobody's loss.

    Where something of it is to be tried first, `try-challenge` records what has become of it.
    """
    split = TournamentRules.model_validate(rules)
    try:
        data = prepare_data(plan, split.minimum_rows, split.test_share, split.test_most)
        trial = propose_trial(plan, data, draft_rewards(plan))
        if trial is None:
            record_ready(plan.challenge_id, data)
        else:
            see_through(trial_work(plan, trial, try_challenge))
    except (ValueError, PrerequisiteError, IntegrityError, DispatchExhaustedError) as error:
        record_failed(plan.challenge_id, str(error))
