"""rerank: answers of language models, and what they cost by day."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "model_answers",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_model_answers"),
    )
    op.create_index("ix_model_answers_person", "model_answers", ["person"])
    op.create_index("ix_model_answers_time", "model_answers", ["time"])
    op.create_table(
        "model_spending",
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("money", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("day", name="pk_model_spending"),
    )


def downgrade() -> None:
    op.drop_table("model_spending")
    op.drop_table("model_answers")
