"""recall's tables in the store. Migrations in api/migrations create them; a test holds both equal."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, SmallInteger, Table, Text

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

_big = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts up only in INTEGER PRIMARY KEY

LIVE_EVENTS = Table(
    "live_events",
    METADATA,
    Column("seq", _big, primary_key=True, autoincrement=True),  # order of arrival
    Column("event", Text, nullable=False, unique=True),  # recall.ids.event_id
    Column("platform", Text, nullable=False),
    Column("user", Text, nullable=False),  # the platform's own user id
    Column("listing", Text, nullable=False),  # the platform's own item id
    Column("type", Text, nullable=False),
    Column("value", Float(53)),
    Column("weight", BigInteger, nullable=False),  # micro-units before decay; 0 for a dislike
    Column("polarity", SmallInteger, nullable=False),
    Column("time", BigInteger, nullable=False),  # UTC seconds
    Column("received", BigInteger, nullable=False),  # UTC seconds
    Index(None, "platform", "user", "time"),
)

LINK_DECISIONS = Table(
    "link_decisions",
    METADATA,
    Column("seq", _big, primary_key=True, autoincrement=True),  # later decisions win
    Column("kind", Text, nullable=False),  # 'person' or 'item'
    Column("action", Text, nullable=False),  # 'add' or 'remove'
    Column("platform", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("other_platform", Text),  # null: any other account or listing
    Column("other_key", Text),
    Column("by", Text, nullable=False),  # 'cli', 'review', a judge's name
    Column("at", BigInteger, nullable=False),  # UTC seconds
)
"""What people and judges decided. Rows are added, never changed: the ledger keeps what was done when."""

ALIASES = Table(
    "aliases",
    METADATA,
    Column("old", Text, primary_key=True),  # a person or item id that was in use
    Column("new", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

CONSENTS = Table(
    "consents",
    METADATA,
    Column("platform", Text, primary_key=True),  # the account of the person who states it
    Column("user", Text, primary_key=True),
    Column("source", Text, primary_key=True),  # platform whose events may or may not serve, or '*'
    Column("target", Text, primary_key=True),  # platform that asks, or '*'
    Column("allowed", SmallInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
)
"""Statements hang on accounts, so that they stay with the right person when links are undone."""

TOMBSTONES = Table(
    "tombstones",
    METADATA,
    Column("platform", Text, primary_key=True),
    Column("account", Text, primary_key=True),  # hash of the platform user, keyed with STORE_KEYS
    Column("at", BigInteger, nullable=False),  # UTC seconds: no event up to here is read in again
)
"""Accounts whose data were erased; who they were is not kept."""

STORE_KEYS = Table(
    "store_keys",
    METADATA,
    Column("name", Text, primary_key=True),  # what it is for
    Column("value", Text, nullable=False),  # hex digits, drawn when first needed
)
"""Random keys of this store."""

LIVE_ITEMS = Table(
    "live_items",
    METADATA,
    Column("platform", Text, primary_key=True),
    Column("listing", Text, primary_key=True),  # the platform's own item id
    Column("facts", Text, nullable=False),  # JSON: recall.store.items.LiveItem without these two
    Column("at", BigInteger, nullable=False),  # UTC seconds of the last change
)
"""Catalogue rows that came in live; a later one replaces an earlier one."""
