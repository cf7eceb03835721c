"""What a miner's container is told."""

import hashlib

from core.contract import OFFLINE, training_environment, training_seed
from core.ids import CHAMPION, MIRROR, challenge_id, group_id, round_id, tournament_id, training_id

CHALLENGE = challenge_id(group_id(round_id(tournament_id("text", 1), 3), 1), 2)
SEED = "5e" * 32


def test_a_training_seed_is_what_the_contract_says():
    digest = hashlib.sha256(f"{SEED}:text-0001-r3-g1-c2-champion:training".encode()).hexdigest()
    assert training_seed(SEED, training_id(CHALLENGE, CHAMPION)) == int(digest[:8], 16)


def test_everybody_trains_from_a_seed_of_its_own():
    champion, mirror = (training_environment(SEED, training_id(CHALLENGE, member)) for member in (CHAMPION, MIRROR))
    assert champion["GOD_SEED"] != mirror["GOD_SEED"]
    assert champion | {"GOD_SEED": ""} == mirror | {"GOD_SEED": ""} == OFFLINE | {"GOD_SEED": ""}


def test_the_kl_is_told_where_it_counts() -> None:
    training = training_id(CHALLENGE, CHAMPION)
    plain, regularised = training_environment(SEED, training), training_environment(SEED, training, 0.05)
    assert regularised == plain | {"USE_KL": "true", "KL_COEF": "0.05"}
