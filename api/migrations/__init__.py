"""The one migration history of the store, composed from the rooms' tables.

`open_migrated` is how the command line and the service open the store. A new table or column is a new
file in versions/ and a new HEAD here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, inspect, text

from api.tables import METADATA as API
from recall.errors import StoreError
from recall.store import METADATA as RECALL
from recall.store import Store, open_store
from rerank.journal.tables import METADATA as JOURNAL
from rerank.knowledge.tables import METADATA as KNOWLEDGE
from rerank.llm.tables import METADATA as CALLS

HEAD = "0008"
"""The newest revision: known here so that an up-to-date store opens without loading Alembic."""

METADATAS: tuple[MetaData, ...] = (RECALL, JOURNAL, CALLS, KNOWLEDGE, API)

_LOCK = 7_486_211  # any fixed number: PostgreSQL's advisory lock while one process upgrades


def open_migrated(url: str) -> Store:
    """The store at `url` with its schema up to date; StoreError when it is newer than this program.

    Safe when several processes open a fresh store at once. Not from a coroutine: await `upgrade` there.
    """
    store = open_store(url)
    try:
        store.run(upgrade(store))
    except BaseException:
        store.close()
        raise
    return store


async def upgrade(store: Store) -> None:
    """Bring the schema to HEAD in one transaction. Does nothing when it is there."""
    if await revision_of(store) == HEAD:
        return
    async with store.write() as connection:
        if not store.sqlite:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        await connection.run_sync(_upgrade)


async def revision_of(store: Store) -> str | None:
    """The store's schema; None where there is none yet."""
    async with store.read() as connection:
        return await connection.run_sync(_revision)


def alembic_config() -> Any:
    """Alembic's configuration, with no ini file: the history lies beside this module."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.util.exc import CommandError

    config = alembic_config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, HEAD)
    except CommandError as error:
        found = _revision(connection)
        raise StoreError(
            f"store: its schema is at {found!r}, this whyrec knows up to {HEAD!r}; upgrade whyrec"
        ) from error
