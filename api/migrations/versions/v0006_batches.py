"""api: batches of recommendations."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("finished", sa.BigInteger()),
        sa.Column("worker", sa.Text()),
        sa.Column("lease", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
    )
    op.create_index("ix_batches_finished_created", "batches", ["finished", "created"])
    op.create_table(
        "batch_rows",
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("served", sa.Text()),
        sa.Column("problem", sa.Text()),
        sa.PrimaryKeyConstraint("batch", "row", name="pk_batch_rows"),
    )
    op.create_index("ix_batch_rows_platform_user", "batch_rows", ["platform", "user"])


def downgrade() -> None:
    op.drop_table("batch_rows")
    op.drop_table("batches")
