"""recall: tombstones without user ids, keys of the store, live items."""

import secrets

import sqlalchemy as sa
from alembic import op

from recall.store.tombstones import account_hash

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "store_keys",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_store_keys"),
    )
    op.create_table(
        "live_items",
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("listing", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "listing", name="pk_live_items"),
    )
    connection = op.get_bind()
    named = connection.execute(sa.text('SELECT platform, "user", at FROM tombstones')).all()
    op.drop_table("tombstones")
    table = op.create_table(
        "tombstones",
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "account", name="pk_tombstones"),
    )
    if named:
        key = secrets.token_hex(32)
        insert = sa.text("INSERT INTO store_keys (name, value) VALUES ('tombstones', :value)")
        connection.execute(insert, {"value": key})
        rows = [
            {"platform": row.platform, "account": account_hash(key, row.platform, row.user), "at": row.at}
            for row in named
        ]
        op.bulk_insert(table, rows)


def downgrade() -> None:
    op.drop_table("tombstones")
    op.create_table(
        "tombstones",
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "user", name="pk_tombstones"),
    )
    op.drop_table("live_items")
    op.drop_table("store_keys")
