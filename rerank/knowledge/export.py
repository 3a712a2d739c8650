"""All that is known, as rows for other programs, and how much it is."""

from __future__ import annotations

import json
from typing import Any, Literal

from sqlalchemy import func, select

from recall.store import Store
from rerank.knowledge.tables import EXTRACTIONS, FACTS, STATEMENTS
from rerank.knowledge.types import OPEN


async def lines(store: Store, what: Literal["items", "people", "all"] = "items") -> list[dict[str, Any]]:
    """A row for each fact and each statement, with their columns in the store; `about` says which it is."""
    rows: list[dict[str, Any]] = []
    async with store.read() as connection:
        if what != "people":
            wanted = select(FACTS).order_by(FACTS.c.item, FACTS.c.kind, FACTS.c.value)
            rows += [{"about": "item", **row._mapping} for row in await connection.execute(wanted)]
        if what != "items":
            said = select(STATEMENTS).order_by(STATEMENTS.c.person, STATEMENTS.c.number)
            for row in await connection.execute(said):
                rows.append({"about": "person", **row._mapping, "events": json.loads(row.events)})
    return rows


async def counts(store: Store) -> dict[str, Any]:
    """Items and people by how they were settled, facts by kind, facts from memory, statements by kind, and
    what was left out, by cause."""
    async with store.read() as connection:

        async def by(column: Any, *where: Any) -> dict[str, int]:
            wanted = select(column, func.count()).where(*where).group_by(column).order_by(column)
            return {row[0]: row[1] for row in await connection.execute(wanted)}

        dropped: dict[str, int] = {}
        for row in await connection.execute(select(EXTRACTIONS.c.dropped)):
            for cause, number in json.loads(row.dropped).items():
                dropped[cause] = dropped.get(cause, 0) + number
        return {
            "items": await by(EXTRACTIONS.c.status, EXTRACTIONS.c.kind == "item"),
            "facts": await by(FACTS.c.kind),
            "of them the model's memory": await by(FACTS.c.kind, FACTS.c.source == OPEN),
            "people": await by(EXTRACTIONS.c.status, EXTRACTIONS.c.kind == "person"),
            "statements": await by(STATEMENTS.c.kind),
            "left out or marked": dict(sorted(dropped.items())),
        }
