"""The journal's tables in the store. Migrations in api/migrations create them; a test holds both equal."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, Table, Text

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
    Index(None, "person"),
    Index(None, "experiment", "time"),
)
"""One row for each answer that went out."""

SERVED_ITEMS = Table(
    "served_items",
    METADATA,
    Column("served", Text, primary_key=True),
    Column("rank", Integer, primary_key=True),  # from 1
    Column("item", Text, nullable=False),
    Column("score", Float(53), nullable=False),  # the final blend's
    Column("recall_rank", Integer, nullable=False),  # from 1
    Column("model_rank", Integer),  # from 1; null: the model did not place it
    Column("place", Text, nullable=False),  # 'model', 'filled' or 'recall'
    Column("sources", Text, nullable=False),  # JSON: each recaller's score
    Column("reason", Text),  # JSON; null: none was asked for
    Column("evidence", Text, nullable=False),  # JSON list
)

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
