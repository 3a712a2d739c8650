"""What models said of items and people, in the store. Migrations create it; a test holds both equal."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, Table, Text

from recall.store import METADATA as RECALL

METADATA = MetaData(naming_convention=RECALL.naming_convention)

FACTS = Table(
    "facts",
    METADATA,
    Column("item", Text, primary_key=True),
    Column("kind", Text, primary_key=True),  # a field of the schema: theme, mood, …
    Column("value", Text, primary_key=True),
    Column("confidence", Float(53), nullable=False),  # (0, 1]
    Column("source", Text, nullable=False),  # the item's field that states it, or 'model'
    Column("model", Text, nullable=False),  # as served
    Column("prompt", Text, nullable=False),  # hash of what was asked
    Column("time", BigInteger, nullable=False),  # UTC seconds
)

STATEMENTS = Table(
    "statements",
    METADATA,
    Column("person", Text, primary_key=True),
    Column("number", Integer, primary_key=True),  # from 0, in the profile's order
    Column("kind", Text, nullable=False),  # lasting, current, dislike, habit
    Column("text", Text, nullable=False),
    Column("events", Text, nullable=False),  # a JSON list of ids
    Column("platform", Text),  # of a habit
    Column("confidence", Float(53), nullable=False),
    Column("model", Text, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("time", BigInteger, nullable=False),  # UTC seconds
)

EXTRACTIONS = Table(
    "extractions",
    METADATA,
    Column("kind", Text, primary_key=True),  # 'item' or 'person'
    Column("subject", Text, primary_key=True),  # its id
    Column("input", Text, nullable=False),  # hash of what was read
    Column("prompt", Text, nullable=False),  # hash of what was asked
    Column("model", Text, nullable=False),  # as it was asked for
    Column("status", Text, nullable=False),  # 'done' or 'damaged'
    Column("attempts", Integer, nullable=False),  # calls that it took
    Column("dropped", Text, nullable=False),  # JSON: what was left out, by cause
    Column("time", BigInteger, nullable=False),  # UTC seconds
    Index(None, "kind", "status"),
)
"""One row for each subject that was settled: what makes a run incremental and resumable."""

WRITES = Table(
    "knowledge_writes",
    METADATA,
    Column("kind", Text, primary_key=True),  # 'item' or 'person'
    Column("count", BigInteger, nullable=False),
)
"""How often anything of a kind was written or removed: a reader sees at once whether it has to read again."""
