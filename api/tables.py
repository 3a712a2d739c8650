"""api's tables in the store. Migrations create them; a test holds both equal."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("id", Text, primary_key=True),  # the public part of the key
    Column("hash", Text, nullable=False),  # sha256 of the secret part, hexadecimal
    Column("name", Text, nullable=False),  # whose it is, for people
    Column("scopes", Text, nullable=False),  # words with a comma between
    Column("platforms", Text),  # a JSON list; null: all
    Column("per_minute", BigInteger),  # requests; null: no limit of its own
    Column("tokens_per_day", BigInteger),  # of a language model; null: no limit of its own
    Column("created", BigInteger, nullable=False),  # UTC seconds
    Column("expires", BigInteger),
    Column("revoked", BigInteger),
)
"""A key is shown once, when it is made; what is kept can't be turned back into it."""

KEY_USE = Table(
    "key_use",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("kind", Text, primary_key=True),  # 'requests' by minute, 'tokens' by day
    Column("window", BigInteger, primary_key=True),  # the minute or the day, counted from 1970
    Column("used", BigInteger, nullable=False),
    Index(None, "kind", "window"),
)
"""What a key used, over all workers."""

BATCHES = Table(
    "batches",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("question", Text, nullable=False),  # JSON: what all rows ask
    Column("total", Integer, nullable=False),
    Column("created", BigInteger, nullable=False),  # UTC seconds
    Column("finished", BigInteger),  # null: under way
    Column("worker", Text),  # the process that is at it; null: nobody yet
    Column("lease", BigInteger, nullable=False),  # UTC seconds: another process may take it from then on
    Index(None, "finished", "created"),
)

BATCH_ROWS = Table(
    "batch_rows",
    METADATA,
    Column("batch", Text, primary_key=True),
    Column("row", Integer, primary_key=True),  # from 0
    Column("platform", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("served", Text),  # the answer, in the journal
    Column("problem", Text),  # why there is none; both null: not asked yet
    Index(None, "platform", "user"),
)
