"""What links and consent an ingest goes by: the ledger and the statements of the store, the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from api.migrations import open_migrated
from api.settings import Settings
from recall.consent import Consent
from recall.errors import NotFound
from recall.ids import person_id
from recall.links.ledger import Ledger
from recall.links.linker import Linker, make_linker
from recall.store.consents import load_statements
from recall.store.links import load_ledger, save_aliases
from recall.workspace import Workspace


@dataclass(slots=True)
class Linking:
    """Hands `link` and `consent` to recall.merge.ingest; `keep` afterwards saves which ids became which."""

    url: str
    ledger: Ledger
    linker: Linker
    before: pa.Table | None
    """Links of the build that is current before the ingest."""
    consent: Consent | None = None
    """None where nobody stated anything and the configuration allows all."""
    after: pa.Table | None = None
    persons: dict[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def load(cls, settings: Settings) -> Linking:
        """StoreError when the store can't be read, DataError when a link table can't."""
        workspace = Workspace(settings.workspace)
        url = settings.store.resolve(workspace.store_file)
        with open_migrated(url) as store:
            ledger = store.run(load_ledger(store))
            statements = store.run(load_statements(store))
        made = cls(url, ledger, make_linker(settings.root, settings.links, ledger), _current(workspace))
        if statements or settings.consent.serves:
            made.consent = Consent(settings.consent, settings.platforms, statements, made.person)
        return made

    def link(self, accounts: pa.Table, listings: pa.Table) -> pa.Table:
        """recall.tables.LINKS rows; consent goes by the persons found here."""
        self.after = self.linker(accounts, listings)
        columns = [self.after[name].to_pylist() for name in ("kind", "platform", "key", "target")]
        self.persons = {
            (platform, key): target
            for kind, platform, key, target in zip(*columns, strict=True)
            if kind == "person"
        }
        return self.after

    def person(self, platform: str, user: str) -> str:
        """Whose account this is by the links just made; a person of its own when it is in none."""
        return self.persons.get((platform, user)) or person_id(platform, user)

    def keep(self) -> None:
        """Save the aliases that lead from the ids of the build before to those of this one."""
        if self.after is None:
            return
        aliases = self.ledger.follow(self.before, self.after)
        if aliases != dict(self.ledger.aliases):
            with open_migrated(self.url) as store:
                store.run(save_aliases(store, aliases))


def _current(workspace: Workspace) -> pa.Table | None:
    try:
        return pq.read_table(workspace.builds.current() / "links.parquet")
    except (NotFound, FileNotFoundError):
        return None
