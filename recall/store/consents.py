"""Statements of consent in the store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import delete, select

from recall.consent import Consent, ConsentConfig, Statement
from recall.store.engine import Store
from recall.store.tables import CONSENTS

_KEY = ("platform", "user", "source", "target")


async def load_statements(store: Store) -> tuple[Statement, ...]:
    """All statements in force."""
    async with store.read() as connection:
        rows = (
            await connection.execute(select(CONSENTS).order_by(*(CONSENTS.c[name] for name in _KEY)))
        ).all()
    return tuple(
        Statement(row.platform, row.user, row.source, row.target, bool(row.allowed), row.at) for row in rows
    )


async def state(store: Store, statements: Sequence[Statement], *, now: int | None = None) -> None:
    """Put statements in force; the same account's earlier ones about the same platforms are replaced."""
    at = int(time.time()) if now is None else now
    rows = [
        {name: getattr(one, name) for name in _KEY} | {"allowed": int(one.allowed), "at": one.at or at}
        for one in statements
    ]
    insert = store.insert(CONSENTS)
    changed = {name: insert.excluded[name] for name in ("allowed", "at")}
    statement = insert.on_conflict_do_update(index_elements=list(_KEY), set_=changed)
    if rows:
        async with store.write() as connection:
            await connection.execute(statement, rows)


async def replace(
    store: Store, platform: str, user: str, statements: Sequence[Statement], *, now: int | None = None
) -> None:
    """Put these statements of one account in the place of all its earlier ones, in one transaction."""
    at = int(time.time()) if now is None else now
    rows = {
        (one.source, one.target): {name: getattr(one, name) for name in _KEY}
        | {"allowed": int(one.allowed), "at": one.at or at}
        for one in statements
    }
    async with store.write() as connection:
        mine = (CONSENTS.c.platform == platform) & (CONSENTS.c.user == user)
        await connection.execute(delete(CONSENTS).where(mine))
        if rows:
            await connection.execute(store.insert(CONSENTS), list(rows.values()))


async def withdraw(store: Store, platform: str, user: str) -> None:
    """Remove every statement of an account: the platforms' defaults hold again."""
    async with store.write() as connection:
        mine = (CONSENTS.c.platform == platform) & (CONSENTS.c.user == user)
        await connection.execute(delete(CONSENTS).where(mine))


class StoredConsent:
    """Consent as the store has it now: what is stated or withdrawn counts within `LOOK_SECONDS`.

    Call `serves` from threads that run no event loop; safe from several of them.
    """

    LOOK_SECONDS = 0.2

    def __init__(
        self,
        store: Store,
        config: ConsentConfig,
        platforms: Iterable[str],
        person_of: Callable[[str, str], str],
    ) -> None:
        self._store, self._config = store, config
        self._platforms, self._person_of = frozenset(platforms), person_of
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._statements: tuple[Statement, ...] | None = None
        self._consent = Consent(config, (), (), person_of)

    def look(self) -> None:
        """The next question reads what was stated."""
        self._looked = float("-inf")

    def serves(self, person: str, asking: str) -> frozenset[str] | None:
        """Platforms whose events of this person may serve `asking`; None: all. StoreError when unreadable."""
        return self._now().serves(person, asking)

    def groups(self, person: str, platforms: Sequence[str]) -> list[frozenset[str]]:
        """As Consent.groups, by what is stated now."""
        return self._now().groups(person, platforms)

    def _now(self) -> Consent:
        with self._lock:
            if time.monotonic() - self._looked >= self.LOOK_SECONDS:
                found = self._store.run(load_statements(self._store))
                if found != self._statements:
                    self._statements = found
                    self._consent = Consent(self._config, self._platforms, found, self._person_of)
                self._looked = time.monotonic()
            return self._consent
