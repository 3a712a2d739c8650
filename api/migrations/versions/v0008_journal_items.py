"""journal: an answer's places in one column of its row, instead of a row each."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_BATCH = 500

_PLAIN = ("rank", "item", "score", "recall_rank", "model_rank", "place")
_JSON = ("sources", "reason", "evidence")
_ITEMS = sa.table("served_items", *(sa.column(name) for name in ("served", *_PLAIN, *_JSON)))
_SERVED = sa.table("served", sa.column("id"), sa.column("items"))


def upgrade() -> None:
    op.add_column("served", sa.Column("items", sa.Text(), nullable=False, server_default="[]"))
    connection = op.get_bind()
    put = sa.update(_SERVED).where(_SERVED.c.id == sa.bindparam("served")).values(items=sa.bindparam("all"))
    for ids in _batches(connection):
        wanted = sa.select(_ITEMS).where(_ITEMS.c.served.in_(ids)).order_by(_ITEMS.c.served, _ITEMS.c.rank)
        places: dict[str, list[dict[str, object]]] = {}
        for row in connection.execute(wanted):
            said = {name: json.loads(getattr(row, name) or "null") for name in _JSON}
            places.setdefault(row.served, []).append({name: getattr(row, name) for name in _PLAIN} | said)
        if places:
            rows = [{"served": id, "all": _dump(mine)} for id, mine in places.items()]
            connection.execute(put, rows)
    op.drop_table("served_items")


def downgrade() -> None:
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
    connection = op.get_bind()
    for ids in _batches(connection):
        rows = []
        for row in connection.execute(sa.select(_SERVED).where(_SERVED.c.id.in_(ids))):
            for place in json.loads(row.items):
                reason = None if place["reason"] is None else _dump(place["reason"])
                said = {
                    "sources": _dump(place["sources"]),
                    "evidence": _dump(place["evidence"]),
                    "reason": reason,
                }
                rows.append({"served": row.id} | {name: place[name] for name in _PLAIN} | said)
        if rows:
            connection.execute(sa.insert(_ITEMS), rows)
    op.drop_column("served", "items")


def _batches(connection):  # type: ignore[no-untyped-def]
    """Ids of the answers, in order, some hundreds at a time: a journal is larger than the memory."""
    last = ""
    while True:
        some = sa.select(_SERVED.c.id).where(_SERVED.c.id > last).order_by(_SERVED.c.id).limit(_BATCH)
        ids = list(connection.execute(some).scalars())
        if not ids:
            return
        yield ids
        last = ids[-1]


_dump = json.JSONEncoder(separators=(",", ":")).encode
