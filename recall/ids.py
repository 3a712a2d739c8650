"""Identities that stay the same from build to build, because they are derived from content.

A person's id comes from the first link of the person's accounts, an item's from the first link of its
listings ("first": the smallest by since, platform and platform id, never by arrival), an event's from its
own content. SQL engines compute the same ids with `md5` over the same text, so the text's form is fixed here.
MD5 serves as a content address, not as a secret.
"""

from __future__ import annotations

import hashlib
import math

SEPARATOR = "\x1f"
"""Between the parts of a hashed text: the ASCII unit separator, which cleaning removes from every key."""

ID_HEX = 20
"""Hex digits kept of a person's or item's hash: 80 bits, a collision among 10⁹ ids has odds below 10⁻⁶."""

MICRO = 1_000_000
"""Weights and values are summed and hashed as whole millionths, so that order never changes a sum."""


def _md5(*parts: str) -> str:
    return hashlib.md5(SEPARATOR.join(parts).encode(), usedforsecurity=False).hexdigest()


def person_id(platform: str, user: str) -> str:
    """Id of the person whose first link is this platform user: 'p' and 20 hex digits."""
    return "p" + _md5("person", platform, user)[:ID_HEX]


def item_id(platform: str, listing: str) -> str:
    """Id of the item whose first link is this listing: 'i' and 20 hex digits."""
    return "i" + _md5("item", platform, listing)[:ID_HEX]


def event_id(platform: str, user: str, listing: str, type: str, value: float | None, time: int) -> str:
    """Id of an event from its content: 'e' and 32 hex digits.

    `time` is UTC seconds. `value` enters as a whole number of millionths ('' when there is none), which
    every engine prints alike; halves round away from zero, as SQL's ROUND does.
    """
    micro = "" if value is None else str(micro_units(value))
    return "e" + _md5(platform, user, listing, type, micro, str(time))


def micro_units(value: float) -> int:
    """`value` in whole millionths, halves away from zero (SQL's ROUND on doubles)."""
    scaled = value * MICRO
    whole = math.trunc(scaled)
    if abs(scaled - whole) >= 0.5:
        whole += 1 if scaled > 0 else -1
    return whole
