"""Turn the standings into weights on the chain, from published evidence."""

from prefect import flow, get_run_logger

from core.errors import LeaseHeldError
from core.ids import Hotkey
from core.tournament import Tournament, TournamentKind, WeightSetting
from core.value import canonical_json
from tasks.chain import metagraph, put_weights, subnet
from tasks.leases import lease
from tasks.telling import tell_weights
from tasks.tournaments import finished_tournaments, load_tournament, open_tournaments
from tasks.weights import confirm_setting, plan_setting, put_evidence
from tournament import weights
from tournament.evidence import Evidence, TournamentEvidence, participants, tournament_evidence
from tournament.title import title_gain

LEASE_SECONDS = 3600.0


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
    evidence = gather_evidence()
    if not evidence.tournaments:
        get_run_logger().info("no tournament is finished yet; there is nothing to set")
        return None
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
    if setting.block_number is None:
        publish(setting, evidence.burn_hotkey)
    return setting.setting_id


def publish(setting: WeightSetting, burn_hotkey: Hotkey) -> None:
    uids = {neuron.hotkey: neuron.uid for neuron in metagraph(setting.netuid).neurons}
    receipt = put_weights(setting.netuid, weights.to_u16(setting.weights, uids, burn_hotkey))
    confirm_setting(setting.setting_id, receipt)
    tell_weights(setting.setting_id, setting.weights, setting.evidence)


def gather_evidence() -> Evidence:
    """The newest finished tournament of each kind, and who still plays."""
    netuid, burn_hotkey = subnet()
    newest = [_evidence(finished) for kind in TournamentKind if (finished := finished_tournaments(kind))]
    return Evidence(
        policy=weights.CLASSIC_POLICY,
        netuid=netuid,
        burn_hotkey=Hotkey(burn_hotkey),
        tournaments=tuple(newest),
        participants=participants(open_tournaments()),
    )


def _evidence(finished: list[Tournament]) -> TournamentEvidence:
    """Of the newest; the former ones say since when its winner holds the title, and how it was won."""
    state = load_tournament(finished[0].tournament_id)
    streak, gain = title_gain(finished)
    return tournament_evidence(state, streak, gain)
