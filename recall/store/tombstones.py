"""Accounts whose data were erased: remembered as hashes, so that no later import brings them back."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from recall.ids import SEPARATOR
from recall.store.engine import Store
from recall.store.tables import STORE_KEYS, TOMBSTONES

_KEY = "tombstones"

PERSONS = "*"
"""Stands for the platform in the tombstone of a person, whose id takes the user's place."""


@dataclass(frozen=True, slots=True)
class Tombstones:
    """(platform, hash of the user) → UTC seconds up to which nothing of the account is read in again."""

    key: str = field(default="", repr=False)
    at: Mapping[tuple[str, str], int] = field(default_factory=dict, repr=False)

    def on(self, platform: str) -> bool:
        """Whether any account of the platform was erased."""
        return any(name == platform for name, _ in self.at)

    def erased(self, platform: str, users: Iterable[str]) -> dict[str, int]:
        """Those of `users` that were erased, and until when. No user: empty."""
        if not self.on(platform):
            return {}
        found = ((user, self.at.get((platform, account_hash(self.key, platform, user)))) for user in users)
        return {user: at for user, at in found if at is not None}

    def mark(self, platform: str) -> str:
        """Changes whenever one of the platform's tombstones does; '' where there is none."""
        mine = sorted((account, at) for (name, account), at in self.at.items() if name == platform)
        return hashlib.sha256(repr(mine).encode()).hexdigest()[:16] if mine else ""


def account_hash(key: str, platform: str, user: str) -> str:
    """HMAC-SHA-256 in hex of an account under `key` (hex digits of the store's key)."""
    return hmac.new(bytes.fromhex(key), SEPARATOR.join((platform, user)).encode(), hashlib.sha256).hexdigest()


async def bury(store: Store, accounts: Sequence[tuple[str, str]], *, now: int | None = None) -> None:
    """Remember these (platform, user) accounts as erased, durable on return; again moves the time on."""
    if not accounts:
        return
    at = int(time.time()) if now is None else now
    insert = store.insert(TOMBSTONES)
    statement = insert.on_conflict_do_update(
        index_elements=["platform", "account"], set_={"at": insert.excluded.at}
    )
    async with store.write() as connection:
        key = await _key(store, connection)
        rows = {(platform, account_hash(key, platform, user)) for platform, user in accounts}
        values = [{"platform": platform, "account": account, "at": at} for platform, account in sorted(rows)]
        await connection.execute(statement, values)


async def load_tombstones(store: Store) -> Tombstones:
    """All tombstones; empty where nobody was erased."""
    async with store.read() as connection:
        rows = (await connection.execute(select(TOMBSTONES))).all()
        key = await _known(connection)
    return Tombstones(key or "", {(row.platform, row.account): row.at for row in rows})


async def count_tombstones(store: Store) -> tuple[int, int]:
    """How many there are, and the sum of their times: what changes with every erasure."""
    async with store.read() as connection:
        row = (await connection.execute(select(func.count(), func.sum(TOMBSTONES.c.at)))).one()
    return row[0], int(row[1] or 0)


async def buried(
    connection: AsyncConnection, accounts: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Those of these (platform, user) accounts that were erased, and until when; in a transaction of the
    caller's."""
    wanted = sorted(set(accounts))
    if not wanted or (key := await _known(connection)) is None:
        return {}
    hashes = {account_hash(key, *account): account for account in wanted}
    found = await connection.execute(select(TOMBSTONES).where(TOMBSTONES.c.account.in_(hashes)))
    return {hashes[row.account]: row.at for row in found if hashes[row.account][0] == row.platform}


async def _key(store: Store, connection: AsyncConnection) -> str:
    """The store's key, drawn on first use; of two processes that draw one at once, one wins."""
    if (found := await _known(connection)) is None:
        row = {"name": _KEY, "value": secrets.token_hex(32)}
        await connection.execute(store.insert(STORE_KEYS).on_conflict_do_nothing(), row)
        found = await _known(connection)
    assert found is not None
    return found


async def _known(connection: AsyncConnection) -> str | None:
    found = await connection.execute(select(STORE_KEYS.c.value).where(STORE_KEYS.c.name == _KEY))
    value: str | None = found.scalar()
    return value
