"""recall: live events, link decisions, aliases, consents, tombstones."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "live_events",
        sa.Column("seq", _big, autoincrement=True, nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("listing", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(53)),
        sa.Column("weight", sa.BigInteger(), nullable=False),
        sa.Column("polarity", sa.SmallInteger(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_live_events"),
        sa.UniqueConstraint("event", name="uq_live_events_event"),
    )
    op.create_index("ix_live_events_platform_user_time", "live_events", ["platform", "user", "time"])
    op.create_table(
        "link_decisions",
        sa.Column("seq", _big, autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("other_platform", sa.Text()),
        sa.Column("other_key", sa.Text()),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_link_decisions"),
    )
    op.create_table(
        "aliases",
        sa.Column("old", sa.Text(), nullable=False),
        sa.Column("new", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("old", name="pk_aliases"),
    )
    op.create_table(
        "consents",
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("allowed", sa.SmallInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "user", "source", "target", name="pk_consents"),
    )
    op.create_table(
        "tombstones",
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "user", name="pk_tombstones"),
    )


def downgrade() -> None:
    for table in ("tombstones", "consents", "aliases", "link_decisions", "live_events"):
        op.drop_table(table)
