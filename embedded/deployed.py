"""Whether a Prefect server has our deployments as they are now, found out without importing Prefect."""

import json
import urllib.error
import urllib.request

from core.value import canonical_json, sha256_hex
from embedded.state import REPOSITORY

DIGEST = "god_deployments"
"""Prefect variable: digest of what was deployed, kept on the server so that an empty server is noticed."""
ROOMS = ("core", "deployments", "embedded", "flows")
"""What the server is told follows from these: the files, and the signatures of the flows."""
TIMEOUT_SECONDS = 30.0


def digest_of(slots: int, schedules: bool) -> str:
    """Of everything that `embedded.deploying.deploy` would tell the server."""
    files = (path for room in ROOMS for path in (REPOSITORY / room).rglob("*"))
    texts = {str(path): sha256_hex(path.read_bytes()) for path in files if path.suffix in {".py", ".yaml", ".json"}}
    return sha256_hex(canonical_json([texts, slots, schedules]))


def deployed_digest(api: str) -> str | None:
    """What the server was told last; None when it never was."""
    try:
        with urllib.request.urlopen(f"{api}/variables/name/{DIGEST}", timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            return str(json.load(answer)["value"])
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise
