"""Whether events came in or somebody was erased since one looked, cheap enough to ask for every request."""

from __future__ import annotations

from recall.store.engine import Store

Mark = tuple[object, ...] | None

_MARKS = """SELECT (SELECT max(seq) FROM live_events), count(*), coalesce(sum("at"), 0) FROM tombstones"""


def written(store: Store) -> Mark:
    """What changes with every live event and every erasure, by whichever process. None where that can't be
    told without waiting: on PostgreSQL, or while the file does not answer."""
    return store.peek(_MARKS)
