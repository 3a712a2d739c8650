"""What is kept of model calls in the store: cached answers, tokens and money by day."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, Table, Text

from recall.store import METADATA as RECALL

METADATA = MetaData(naming_convention=RECALL.naming_convention)

MODEL_ANSWERS = Table(
    "model_answers",
    METADATA,
    Column("key", Text, primary_key=True),  # keyed hash of model, question and person
    Column("person", Text, nullable=False),  # keyed hash of the person's id, or of nobody
    Column("model", Text, nullable=False),  # as served
    Column("answer", Text, nullable=False),  # JSON
    Column("size", Integer, nullable=False),  # bytes of `answer`
    Column("time", BigInteger, nullable=False),  # UTC seconds
    Index(None, "person"),
    Index(None, "time"),
)

SPENDING = Table(
    "model_spending",
    METADATA,
    Column("day", Text, primary_key=True),  # UTC, as 2026-11-24
    Column("tokens", BigInteger, nullable=False),  # prompt and completion, what is under way included
    Column("money", Float(53), nullable=False),  # in the price file's currency
)
