"""Random keys of the store, each drawn when first needed, for hashes that mean nothing outside it."""

from __future__ import annotations

import secrets

from sqlalchemy import select

from recall.store.engine import Store
from recall.store.tables import STORE_KEYS


async def store_key(store: Store, name: str) -> bytes:
    """The 32 bytes kept for `name`; of two processes that draw them at once, one wins."""
    wanted = select(STORE_KEYS.c.value).where(STORE_KEYS.c.name == name)
    async with store.read() as connection:
        found = (await connection.execute(wanted)).scalar()
    if found is None:
        row = {"name": name, "value": secrets.token_hex(32)}
        async with store.write() as connection:
            await connection.execute(store.insert(STORE_KEYS).on_conflict_do_nothing(), row)
            found = (await connection.execute(wanted)).scalar()
    return bytes.fromhex(str(found))
