"""rerank: the journal of served recommendations and feedback."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "served",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.Text()),
        sa.Column("platform", sa.Text()),
        sa.Column("scenario", sa.Text()),
        sa.Column("experiment", sa.Text()),
        sa.Column("arm", sa.Text()),
        sa.Column("propensity", sa.Float(53), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("provenance", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_served"),
    )
    op.create_index("ix_served_person", "served", ["person"])
    op.create_index("ix_served_experiment_time", "served", ["experiment", "time"])
    op.create_table(
        "served_items",
        sa.Column("served", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(53), nullable=False),
        sa.Column("recall_rank", sa.Integer(), nullable=False),
        sa.Column("model_rank", sa.Integer()),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("sources", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("served", "rank", name="pk_served_items"),
    )
    op.create_table(
        "feedback",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("served", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(53)),
        sa.Column("why", sa.Text()),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
    )
    op.create_index("ix_feedback_served", "feedback", ["served"])


def downgrade() -> None:
    for table in ("feedback", "served_items", "served"):
        op.drop_table(table)
