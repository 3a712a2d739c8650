"""What two accounts of one person share, kept as a salted hash: an e-mail address or a phone number.

The raw value is read, normalised and hashed; nothing else of it is stored, shown or logged anywhere.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterable, Mapping

from recall.config import KeyKind
from recall.errors import ConfigError
from recall.ids import SEPARATOR

VARIABLE = "WHYREC_KEY_SALT"
SHORTEST = 16
"""Characters that the salt needs at least."""

KEY_HEX = 32
"""Hex digits kept of a hash: 128 bits."""

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@.]+")
_PHONE = re.compile(r"\+?[\d\s()./–-]+")
_TRUNK = re.compile(r"\(\s*0\s*\)")


def read_salt(environment: Mapping[str, str]) -> bytes:
    """The salt of $WHYREC_KEY_SALT; ConfigError with the remedy where it is missing or short."""
    salt = environment.get(VARIABLE, "")
    if len(salt) < SHORTEST:
        have = "is too short" if salt else "is not set"
        raise ConfigError(
            f"{VARIABLE} {have}: linking accounts by e-mail or phone needs a secret of at least {SHORTEST} "
            "characters, the same at every ingest; make one with `openssl rand -hex 32` and keep it"
        )
    return salt.encode()


def salt_mark(salt: bytes) -> str:
    """Tells one salt from another, so that hashes of an older one are not used again."""
    return hmac.new(salt, b"whyrec salt", hashlib.sha256).hexdigest()[:8] if salt else ""


def hashed(kind: KeyKind, values: Iterable[str | None], salt: bytes, country: str | None) -> list[str | None]:
    """'KIND:HASH' of each value; None for what is no e-mail address or no complete phone number."""
    return [_hashed(kind, value, salt, country) if value else None for value in values]


def _hashed(kind: KeyKind, value: str, salt: bytes, country: str | None) -> str | None:
    plain = email(value) if kind == "email" else phone(value, country)
    if plain is None:
        return None
    made = hmac.new(salt, f"{kind}{SEPARATOR}{plain}".encode(), hashlib.sha256)
    return f"{kind}:{made.hexdigest()[:KEY_HEX]}"


def email(text: str) -> str | None:
    """The address without blanks around it and in lower case; None when it is none.

    A '+tag' stays: who uses one may want his accounts apart.
    """
    plain = unicodedata.normalize("NFKC", text).strip().casefold()
    return plain if _EMAIL.fullmatch(plain) else None


def phone(text: str, country: str | None) -> str | None:
    """Country code and number, digits only; None where the country is not known or the length impossible.

    National numbers of two countries may be equal, so one without '+' or '00' needs `country`.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    if not _PHONE.fullmatch(plain):
        return None
    digits = re.sub(r"\D", "", _TRUNK.sub("", plain) if plain.startswith(("+", "00")) else plain)
    if plain.startswith("+"):
        whole = digits
    elif digits.startswith("00"):
        whole = digits[2:]
    elif country:
        whole = country + digits.removeprefix("0")
    else:
        return None
    return whole if 8 <= len(whole) <= 15 else None  # E.164: at most 15 digits
