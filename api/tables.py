"""api's tables in the store. Migrations create them; a test holds both equal."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, MetaData, Table, Text

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
