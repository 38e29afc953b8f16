"""How is a password kept so that whoever reads the database does not know it?"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import threading
import unicodedata
from functools import cache

from core.errors import Problem

MIN_LENGTH = 12
MAX_BYTES = 1024
COST = 16
"""Binary logarithm of scrypt's N; with BLOCK 8 it takes 64 MiB, which OWASP names for 2 lanes."""
BLOCK, LANES = 8, 2
_SECRET = re.compile(r"scrypt\$(\d{1,2})\$(\d)\$(\d)\$([\w+/=]{24})\$([\w+/=]{44})")
_one_at_a_time = threading.Lock()


def hashed(password: str, name: str = "") -> str:
    """Return what is kept of a password: scrypt's parameters, a salt of its own, and the hash.

    Raises:
        Problem: it is too short, too long, or the name.
    """
    n = len(password)
    if n < MIN_LENGTH:
        raise Problem(f"A password has at least {MIN_LENGTH} characters; this one has {n}.")
    if len(password.encode("utf-8", "replace")) > MAX_BYTES:
        raise Problem(f"A password has at most {MAX_BYTES:,} bytes.")
    if name and password.casefold() == name.casefold():
        raise Problem("A password is not the name of the account.")
    salt = os.urandom(16)
    found = _scrypt(password, salt, COST, BLOCK, LANES)
    told = (base64.b64encode(each).decode() for each in (salt, found))
    return "$".join(["scrypt", str(COST), str(BLOCK), str(LANES), *told])


def is_right(password: str, secret: str | None) -> bool:
    """Say whether a password is the one that was hashed; it takes as long where there is none."""
    if len(password) > MAX_BYTES:
        return False
    is_known = secret is not None and _is_ours(secret)
    _, cost, block, lanes, salt, known = (secret if secret and is_known else _nobodys()).split("$")
    given = _scrypt(password, base64.b64decode(salt), int(cost), int(block), int(lanes))
    is_same = hmac.compare_digest(given, base64.b64decode(known))
    return is_same and is_known


def check_secret(secret: str) -> str:
    """Return a hash that was made elsewhere, if it is one of ours.

    Raises:
        Problem: it is not.
    """
    if not _is_ours(secret):
        raise Problem("That is no hash of a password as Admix keeps it.")
    return secret


def _is_ours(secret: str) -> bool:
    parts = _SECRET.fullmatch(secret)
    return parts is not None and 14 <= int(parts[1]) <= 18 and parts[2] == str(BLOCK)


@cache
def _nobodys() -> str:
    """Return the hash of a password that nobody knows."""
    return hashed(base64.b64encode(os.urandom(32)).decode())


def _scrypt(password: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    # The same letters may be typed as other code points on another keyboard.
    typed = unicodedata.normalize("NFKC", password).encode("utf-8", "replace")
    # One at a time: each takes 64 MiB, and whoever asks for many at once should not have it all.
    with _one_at_a_time:
        return hashlib.scrypt(
            typed, salt=salt, n=2**cost, r=block, p=lanes, maxmem=2 * 128 * block * 2**cost,
            dklen=32,
        )  # fmt: skip
