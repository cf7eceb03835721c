"""Turn the standings into weights on the chain, from published evidence."""

from datetime import UTC, datetime

from prefect import flow, get_run_logger

from core.errors import LeaseHeldError
from core.ids import Hotkey
from core.tournament import Tournament, TournamentKind, WeightSetting
from core.value import canonical_json
from tasks.chain import current_block, metagraph, put_weights, subnet
from tasks.leases import lease
from tasks.telling import tell_weights
from tasks.tournaments import finished_tournaments, load_tournament, open_tournaments
from tasks.weights import confirm_setting, plan_setting, put_evidence
from tournament import weights
from tournament.emission import classic
from tournament.emission.choice import (
    constants_of,
    is_runner_up_paid,
    policy_in_force,
    shipped_constants,
    tournaments_looked_back,
)
from tournament.evidence import Evidence, TournamentEvidence, entrants, participants, tournament_evidence
from tournament.title import title_gain

LEASE_SECONDS = 3600.0
Finished = dict[TournamentKind, list[Tournament]]
"""Of each kind that was played to an end, newest first."""


@flow(name="set-weights", flow_run_name="set-weights")
def set_weights() -> str | None:
    """Publish the evidence, derive the weights, set them once. Returns the setting's id."""
    try:
        with lease("weights", slots=0, seconds=LEASE_SECONDS):
            return derive_and_set()
    except LeaseHeldError as elsewhere:
        get_run_logger().info("another flow run sets the weights: %s", elsewhere)
        return None


def derive_and_set() -> str | None:
    finished = {kind: found for kind in TournamentKind if (found := finished_tournaments(kind))}
    if not finished:
        get_run_logger().info("no tournament is finished yet; there is nothing to set")
        return None
    evidence = gather_evidence(finished)
    published = put_evidence(canonical_json(evidence))
    setting = plan_setting(
        WeightSetting(
            setting_id=f"weights-{published.sha256[:16]}",
            netuid=evidence.netuid,
            policy=evidence.policy,
            evidence=published,
            weights=weights.of(evidence),
        )
    )
    publish(setting, evidence.burn_hotkey)
    return setting.setting_id


def publish(setting: WeightSetting, burn_hotkey: Hotkey) -> None:
    """Set them unless the chain has them: also old ones anew, when a uid has gone to another hotkey since."""
    uids = {neuron.hotkey: neuron.uid for neuron in metagraph(setting.netuid, current_block()).neurons}
    receipt = put_weights(setting.netuid, weights.to_u16(setting.weights, uids, burn_hotkey))
    if setting.block_number is None:
        confirm_setting(setting.setting_id, receipt)
        tell_weights(setting.setting_id, setting.weights, setting.evidence)


def gather_evidence(finished: Finished) -> Evidence:
    """The newest finished tournament of each kind, and who still plays where that is paid."""
    netuid, burn_hotkey = subnet()
    policy = policy_in_force([newest for newest, *_ in finished.values()])
    unplayed = [kind for kind in TournamentKind if kind not in finished]
    return Evidence(
        policy=policy,
        netuid=netuid,
        burn_hotkey=Hotkey(burn_hotkey),
        tournaments=tuple(_evidence(of_kind, policy) for of_kind in finished.values()),
        unplayed={kind: shipped_constants(kind, policy) for kind in unplayed},
        participants=participants(open_tournaments()) if policy == classic.POLICY else (),
    )


def _evidence(finished: list[Tournament], policy: str) -> TournamentEvidence:
    """Of the newest; the former ones say since when its winner holds the title, how it was won, and who entered."""
    newest, *earlier = finished
    emission = constants_of(newest, policy)
    streak, gain = title_gain(finished)
    counted = earlier[: tournaments_looked_back(emission)]
    return tournament_evidence(
        load_tournament(newest.tournament_id),
        streak,
        gain,
        emission,
        entrants_before=[entrants(load_tournament(former.tournament_id)) for former in counted],
        runner_up_is_paid=is_runner_up_paid(emission, newest.finished_at, datetime.now(UTC)),
    )
