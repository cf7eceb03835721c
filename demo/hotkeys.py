"""Keys for the demo's miners: SS58 addresses that nobody has a secret for, made of a name alone."""

import hashlib

from core.ids import Coldkey, Hotkey

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
SUBSTRATE = b"\x2a"
"""Network prefix 42: addresses of 48 characters that begin with 5."""


def ss58(public_key: bytes) -> str:
    """The address of a public key of 32 bytes. Source: https://docs.substrate.io/reference/address-formats/."""
    body = SUBSTRATE + public_key
    checksum = hashlib.blake2b(b"SS58PRE" + body, digest_size=64).digest()[:2]
    number, digits = int.from_bytes(body + checksum), ""
    while number:
        number, digit = divmod(number, 58)
        digits = ALPHABET[digit] + digits
    return digits


def hotkey(miner: str) -> Hotkey:
    return Hotkey(ss58(hashlib.sha256(f"god demo hotkey {miner}".encode()).digest()))


def coldkey(miner: str) -> Coldkey:
    return Coldkey(ss58(hashlib.sha256(f"god demo coldkey {miner}".encode()).digest()))
