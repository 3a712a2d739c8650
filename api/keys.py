"""API keys: made, found again, revoked. The store holds a hash; the key itself is shown once."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update

from api.tables import API_KEYS
from recall.errors import NotFound
from recall.store import Store

SCOPES = ("read", "write", "admin")
"""read: answers; write: events, feedback, items; admin: rights of persons, metrics, and all the others."""

_SHAPE = re.compile(r"whyrec_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key. `platforms` None: all of them; a limit of None: none of its own."""

    id: str
    name: str
    scopes: frozenset[str]
    platforms: frozenset[str] | None = None
    per_minute: int | None = None
    tokens_per_day: int | None = None
    created: int = 0
    expires: int | None = None
    revoked: int | None = None

    def holds(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes

    def valid(self, now: float) -> bool:
        return self.revoked is None and (self.expires is None or now < self.expires)


async def make_key(
    store: Store,
    *,
    name: str,
    scopes: Collection[str],
    platforms: Collection[str] | None = None,
    per_minute: int | None = None,
    tokens_per_day: int | None = None,
    expires: int | None = None,
    now: int | None = None,
) -> tuple[str, Key]:
    """A new key, to be shown once, and what is kept of it. ValueError for an unknown scope."""
    if unknown := set(scopes) - set(SCOPES):
        raise ValueError(f"no scope {min(unknown)!r}; have {', '.join(SCOPES)}")
    id, secret = secrets.token_hex(6), secrets.token_urlsafe(_SECRET_BYTES)
    row = {
        "id": id,
        "hash": _hash(secret),
        "name": name,
        "scopes": ",".join(sorted(set(scopes))),
        "platforms": None if platforms is None else json.dumps(sorted(platforms)),
        "per_minute": per_minute,
        "tokens_per_day": tokens_per_day,
        "created": int(time.time()) if now is None else now,
        "expires": expires,
        "revoked": None,
    }
    async with store.write() as connection:
        await connection.execute(insert(API_KEYS), [row])
    return f"whyrec_{id}_{secret}", _key(row)


async def list_keys(store: Store) -> list[Key]:
    """Every key that was made, oldest first."""
    async with store.read() as connection:
        rows = (await connection.execute(select(API_KEYS).order_by(API_KEYS.c.created, API_KEYS.c.id))).all()
    return [_key(row._mapping) for row in rows]


async def revoke_key(store: Store, id: str, *, now: int | None = None) -> None:
    """From now on the key opens nothing. NotFound for an unknown id; revoking twice changes nothing."""
    at = int(time.time()) if now is None else now
    async with store.write() as connection:
        known = (await connection.execute(select(API_KEYS.c.id).where(API_KEYS.c.id == id))).scalar()
        if known is None:
            raise NotFound(f"no key {id!r}; `whyrec keys list` shows them")
        mine = (API_KEYS.c.id == id) & API_KEYS.c.revoked.is_(None)
        await connection.execute(update(API_KEYS).where(mine).values(revoked=at))


class KeyRing:
    """Finds the key that a caller shows. A store read per key every `fresh_seconds`, then from memory."""

    def __init__(self, store: Store, *, fresh_seconds: float = 5.0, most: int = 10_000) -> None:
        """A revoked key opens doors for at most `fresh_seconds` more; at most `most` keys are remembered."""
        self._store = store
        self._fresh = fresh_seconds
        self._most = most
        self._seen: dict[str, tuple[float, str, Key | None]] = {}

    async def find(self, shown: str) -> Key | None:
        """The valid key, or None: unknown, wrong, expired or revoked, which a caller can't tell apart."""
        shape = _SHAPE.fullmatch(shown)
        if shape is None:
            return None
        id, secret = shape.groups()
        seen = self._seen.get(id)
        if seen is None or time.monotonic() - seen[0] > self._fresh:
            seen = await self._look(id)
        _, kept, key = seen
        same = hmac.compare_digest(kept, _hash(secret))
        return key if same and key is not None and key.valid(time.time()) else None

    async def _look(self, id: str) -> tuple[float, str, Key | None]:
        async with self._store.read() as connection:
            row = (await connection.execute(select(API_KEYS).where(API_KEYS.c.id == id))).first()
        if len(self._seen) >= self._most:
            self._seen.clear()
        found = (
            (time.monotonic(), "", None)
            if row is None
            else (time.monotonic(), str(row.hash), _key(row._mapping))
        )
        self._seen[id] = found
        return found


def _hash(secret: str) -> str:
    """The secret has 256 random bits: a slow hash would protect nothing more."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(row: Any) -> Key:
    platforms = row["platforms"]
    return Key(
        id=row["id"],
        name=row["name"],
        scopes=frozenset(row["scopes"].split(",")),
        platforms=None if platforms is None else frozenset(json.loads(platforms)),
        per_minute=row["per_minute"],
        tokens_per_day=row["tokens_per_day"],
        created=row["created"],
        expires=row["expires"],
        revoked=row["revoked"],
    )
