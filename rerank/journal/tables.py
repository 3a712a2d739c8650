"""The journal's tables in the store. Migrations in api/migrations create them; a test holds both equal."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, MetaData, Table, Text

from recall.store import METADATA as RECALL

METADATA = MetaData(naming_convention=RECALL.naming_convention)

SERVED = Table(
    "served",
    METADATA,
    Column("id", Text, primary_key=True),  # the recommendation's
    Column("time", BigInteger, nullable=False),  # UTC seconds
    Column("person", Text),  # null: asked for nobody in particular
    Column("platform", Text),
    Column("scenario", Text),
    Column("experiment", Text),
    Column("arm", Text),
    Column("propensity", Float(53), nullable=False),  # probability with which this arm was drawn
    Column("request", Text, nullable=False),  # JSON
    Column("provenance", Text, nullable=False),  # JSON
    Column("items", Text, nullable=False, server_default="[]"),  # JSON list, best first: rows.ServedItem
    Index(None, "person"),
    Index(None, "experiment", "time"),
)
"""One row for each answer that went out, its places in one column: they are written and read together."""

FEEDBACK = Table(
    "feedback",
    METADATA,
    Column("id", Text, primary_key=True),  # the caller's: sending again changes nothing
    Column("served", Text, nullable=False),
    Column("item", Text, nullable=False),
    Column("kind", Text, nullable=False),  # seen, clicked, accepted, rejected, rated
    Column("value", Float(53)),
    Column("why", Text),  # the person's words
    Column("time", BigInteger, nullable=False),  # UTC seconds
    Index(None, "served"),
)
