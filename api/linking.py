"""What an ingest goes by: links and consent of the store, its live events, the configuration."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from api.migrations import open_migrated
from api.settings import Settings
from recall.consent import Consent
from recall.errors import NotFound
from recall.ids import person_id
from recall.links.keys import read_salt
from recall.links.ledger import Ledger
from recall.links.linker import Linker, make_linker
from recall.merge import Inputs
from recall.sources.accounts import keyed
from recall.sources.live import LiveSource
from recall.store.consents import load_statements
from recall.store.engine import Store
from recall.store.links import add_decisions, load_ledger, save_aliases
from recall.store.tombstones import Tombstones, load_tombstones
from recall.workspace import Workspace


@dataclass(slots=True)
class Linking:
    """Hands `inputs`, `link`, `consent` and `ready` to recall.merge.ingest; `keep` comes after it. `ready`
    and `keep` save which ids became which, so that none is lost wherever a crash falls."""

    store: Store
    inputs: Inputs
    ledger: Ledger
    linker: Linker
    before: pa.Table | None
    """Links of the build that is current before the ingest."""
    consent: Consent | None = None
    """None where nobody stated anything and the configuration allows all."""
    after: pa.Table | None = None
    persons: dict[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def open(cls, settings: Settings) -> Iterator[Linking]:
        """StoreError when the store can't be read, DataError when a link table can't, ConfigError where
        sources have e-mails or phones and there is no salt."""
        workspace = Workspace(settings.workspace)
        hashes = keyed(settings.platforms) or any(table.key != "id" for table in settings.links.tables)
        salt = read_salt(os.environ) if hashes else b""
        with open_migrated(settings.store.resolve(workspace.store_file)) as store:
            ledger = store.run(load_ledger(store))
            statements = store.run(load_statements(store))
            inputs = Inputs(
                settings.root,
                settings.platforms,
                settings.merge,
                salt,
                store.run(load_tombstones(store)),
                LiveSource(store),
            )
            linker = make_linker(settings.root, settings.links, ledger, salt=salt)
            made = cls(store, inputs, ledger, linker, _current(workspace))
            if statements or settings.consent.serves:
                made.consent = Consent(settings.consent, settings.platforms, statements, made.person)
            yield made

    def link(self, accounts: pa.Table, listings: pa.Table) -> pa.Table:
        """recall.tables.LINKS rows; consent goes by the persons found here."""
        self.after = self.linker(accounts, listings)
        if self.consent is not None:
            people = self.after.filter(pc.equal(self.after["kind"], "person"))
            accounts_of = zip(people["platform"].to_pylist(), people["key"].to_pylist(), strict=True)
            self.persons = dict(zip(accounts_of, people["target"].to_pylist(), strict=True))
        return self.after

    def person(self, platform: str, user: str) -> str:
        """Whose account this is by the links just made; a person of its own when it is in none."""
        return self.persons.get((platform, user)) or person_id(platform, user)

    def ready(self) -> None:
        """Before the new build is current: save what a judge said, and the aliases that lead from the ids of
        the build before to those of the new one, beside those that were in force.

        A reader follows an alias only from an id that its build does not have, so both builds are served.
        """
        if self.linker.judged:
            self.store.run(add_decisions(self.store, self.linker.judged))
        self._save({**self.ledger.aliases, **self._followed()})

    def keep(self) -> None:
        """Once the new build is current: drop the aliases that only the one before needed."""
        self._save(self._followed())

    def _followed(self) -> dict[str, str]:
        return {} if self.after is None else self.ledger.follow(self.before, self.after)

    def _save(self, aliases: Mapping[str, str]) -> None:
        if self.after is not None and aliases != dict(self.ledger.aliases):
            self.store.run(save_aliases(self.store, aliases))
            self.ledger = replace(self.ledger, aliases=aliases)


def _current(workspace: Workspace) -> pa.Table | None:
    try:
        return pq.read_table(workspace.builds.current() / "links.parquet")
    except (NotFound, FileNotFoundError):
        return None


def erased_accounts(settings: Settings) -> Tombstones:
    """The tombstones of the configured store; StoreError when it can't be read."""
    with open_migrated(settings.store.resolve(Workspace(settings.workspace).store_file)) as store:
        return store.run(load_tombstones(store))
