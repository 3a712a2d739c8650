"""What is known of people and items: the current build, and the live events since."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from recall.erased import Erased
from recall.errors import NotFound
from recall.links_index import LinksIndex
from recall.live import Live
from recall.live_items import LiveItems
from recall.past import Past
from recall.shelf import Shelf
from recall.store.consents import StoredConsent
from recall.store.engine import Store
from recall.store.watch import Mark, written
from recall.titles_index import TitleIndex
from recall.types import Event, History, Item


class Consents(Protocol):
    """Which of a person's platforms may serve which other."""

    def serves(self, person: str, asking: str) -> frozenset[str] | None:
        """Platforms of that person which may serve `asking`; None: all."""

    def groups(self, person: str, platforms: Sequence[str]) -> list[frozenset[str]]:
        """Maximal sets of `platforms` of which each may serve each other, largest first."""


class BuildLibrary:
    """recall.protocols.Library over one build, the store and the consents.

    Everything is answered from memory: opening reads the build once. Old ids are read through `aliases`
    (old → new). Live events with items that neither the build nor the live catalogue knows wait for the next
    ingest. A person whose data were erased is unknown, but for what happened since.
    """

    def __init__(
        self,
        build: Path,
        *,
        store: Store | None = None,
        consents: Consents | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        """DataError when the build can't be read."""
        self.build = build.name
        self._links = LinksIndex.load(build)
        self._past = Past(build)
        self._shelf = Shelf(build)
        self._store = store
        self._live = Live(store, self._links) if store is not None else None
        self._erased = Erased(store) if store is not None else None
        self._live_items = LiveItems(store, self._links) if store is not None else None
        self._titles: TitleIndex | None = None
        self._indexing = threading.Lock()
        self._consents = consents
        self._aliases = dict(aliases or {})

    @property
    def links(self) -> LinksIndex:
        """Who an account is and what a listing is."""
        return self._links

    def obey(self, consents: Consents) -> None:
        """Serve by these consents from now on."""
        self._consents = consents

    def person(self, platform: str, user: str, mark: Mark = None) -> str:
        """Person id of a platform's user; NotFound when the platform or the user is unknown."""
        person, _ = self._links.person(platform, user)
        until, live = self._since(person, mark)
        if live or ((platform, user) in self._links.accounts and until is None):
            return person
        if until is not None and self._events(person, None, None, until):
            return person
        if platform not in self._links.platforms:
            known = ", ".join(sorted(self._links.platforms)) or "none"
            raise NotFound(f"no platform {platform!r}; the build has {known}")
        raise NotFound(f"no user {user!r} on {platform!r}: no event and no link names it")

    def accounts(self, person: str) -> list[tuple[str, str]]:
        """(platform, user) of the person's accounts, sorted; those that only live events name included."""
        person = self._resolved(person)
        mine = {account for account, (owner, _) in self._links.accounts.items() if owner == person}
        if self._live is not None:
            mine |= self._live.accounts(person)
        return sorted(mine)

    def owner(self, platform: str, user: str) -> str:
        """Person id of an account, whether anything is known of it or not."""
        return self._resolved(self._links.person(platform, user)[0])

    def erased(self, person: str, since: int, mark: Mark = None) -> bool:
        """Whether the person's data were erased at `since` (UTC seconds) or later."""
        until = self._erased.until(self._resolved(person), mark) if self._erased is not None else None
        return until is not None and until >= since

    def at_once(self) -> Mark:
        """A mark with which `person` and `erased` answer from memory, in some microseconds. None: something
        was written, or that can't be told without waiting, so call them in a thread."""
        if self._erased is None or self._live is None:
            return None
        mark = self._mark()
        return mark if self._erased.knows(mark) and self._live.knows(mark) else None

    def item_id(self, platform: str, listing: str) -> str:
        """Id of the item that a listing belongs to; its own where nothing links it."""
        return self._links.item(platform, listing)[0]

    def serves(self, person: str, asking: str) -> frozenset[str] | None:
        """Platforms whose history of this person may serve `asking`; None: all."""
        return self._serving(self._resolved(person), asking)

    def agreeing(self, person: str, platforms: Sequence[str]) -> list[frozenset[str]]:
        """Maximal sets of these platforms of which each may serve each other, the largest first."""
        if self._consents is None:
            return [frozenset(platforms)] if platforms else []
        return self._consents.groups(self._resolved(person), platforms)

    def people(self) -> list[str]:
        """Ids of all persons of the build, sorted; who is erased is among them until the next one."""
        return [id.decode() for id in self._past.persons.ids.tolist()]

    def history(self, person: str, *, platform: str | None = None, as_of: int | None = None) -> History:
        """The person's events that may serve `platform` (None: any), newest first, before `as_of`."""
        person, live, until = self._known(person)
        serving = self._serving(person, platform)
        events = self._events(person, serving, as_of, until)
        ids = {event.id for event in events} if live else ()
        late = [event for event in live if event.id not in ids and _counts(event, serving, as_of)]
        late = [event for event in late if self._listed(event.item)]
        if late:
            # Stable from both ends: at equal times what came in live is newer than what the build holds.
            events = tuple(sorted([*late[::-1], *events], key=lambda event: -event.time))
        return History(person, events)

    def had(self, person: str, *, platform: str | None = None, as_of: int | None = None) -> frozenset[str]:
        """Ids of the items that the person already had on platforms that may serve `platform`."""
        person, live, until = self._known(person)
        serving = self._serving(person, platform)
        late = {event.item for event in live if _counts(event, serving, as_of) and self._listed(event.item)}
        if until is not None:
            return frozenset(event.item for event in self._events(person, serving, as_of, until)) | late
        return self._past.items(person, serving, as_of) | late

    def items(self, ids: Sequence[str]) -> list[Item]:
        """Items by id, in order; NotFound names the first unknown one. Reads through the aliases."""
        ids = [self._resolved(id) for id in ids] if self._aliases else ids
        live = self._live_items
        fresh = live.ids() if live is not None else frozenset()
        if live is None or fresh.isdisjoint(ids):
            return self._shelf.items(ids)
        made = iter(self._shelf.items([id for id in ids if id in self._shelf or id not in fresh]))
        known = [next(made) if id in self._shelf or id not in fresh else None for id in ids]
        over = [live.over(id, item) for id, item in zip(ids, known, strict=True)]
        return [item for item in over if item is not None]

    def catalogue(self) -> list[str]:
        """Ids of all items, those that came in live first."""
        live = sorted(self._live_items.ids()) if self._live_items is not None else []
        fresh = set(live)
        return live + [id for id in self._shelf.ids.names(slice(None)) if id not in fresh]

    def search(self, text: str, *, platform: str | None = None, limit: int = 20) -> list[Item]:
        """Items by any of their titles, best first; only those listed on `platform`, if one is given.

        CPU work: call it in a thread.
        """
        with self._indexing:
            if self._titles is None:
                self._titles = TitleIndex(*self._shelf.titles())
        ids = self._titles.search(text, limit if platform is None else 10 * limit)
        if self._live_items is not None:
            fresh = self.items(sorted(self._live_items.ids()))
            pairs = [(item.id, title) for item in fresh for title in {item.title, *_titles(item)}]
            ids = list(dict.fromkeys([*TitleIndex.of(pairs).search(text, limit), *ids]))
        found = self.items(ids)
        return [item for item in found if platform is None or platform in item.platforms][:limit]

    def look(self) -> None:
        """The next question reads what was written to the live catalogue or the consents a moment ago."""
        if self._live_items is not None:
            self._live_items.look()
        if isinstance(self._consents, StoredConsent):
            self._consents.look()

    def forget(self, person: str) -> None:
        """Keep nothing of an erased person's live events in memory."""
        if self._live is not None:
            self._live.forget(self._resolved(person))

    def _since(self, person: str, mark: Mark = None) -> tuple[int | None, tuple[Event, ...]]:
        """Until when the person is erased, and the live events after that."""
        mark = mark or self._mark()
        until = self._erased.until(person, mark) if self._erased is not None else None
        live = self._live.of(person, mark) if self._live is not None else ()
        return until, live if until is None else tuple(event for event in live if event.time > until)

    def _mark(self) -> Mark:
        return None if self._store is None else written(self._store)

    def _known(self, person: str) -> tuple[str, tuple[Event, ...], int | None]:
        """The person's current id, the live events, and until when he is erased; NotFound if unknown."""
        person = self._resolved(person)
        until, live = self._since(person)
        if not live and (
            self._past.persons.row(person) < 0
            or (until is not None and not self._events(person, None, None, until))
        ):
            raise NotFound(
                f"no person {person!r}; name one by platform and platform user, or run `whyrec ingest`"
            )
        return person, live, until

    def _events(
        self, person: str, serving: frozenset[str] | None, as_of: int | None, until: int | None
    ) -> Sequence[Event]:
        """What the build holds, newest first, without what was erased."""
        events = self._past.events(person, serving, as_of)
        return events if until is None else tuple(event for event in events if event.time > until)

    def _listed(self, item: str) -> bool:
        return item in self._shelf or (self._live_items is not None and item in self._live_items.ids())

    def _serving(self, person: str, platform: str | None) -> frozenset[str] | None:
        if self._consents is None or platform is None:
            return None
        return self._consents.serves(person, platform)

    def _has(self, id: str) -> bool:
        return id in self._shelf or self._past.persons.row(id) >= 0

    def _resolved(self, id: str) -> str:
        """Follow the aliases to the id that this build has; a circle ends where it began."""
        seen = {id}
        while (new := self._aliases.get(id)) is not None and new not in seen and not self._has(id):
            seen.add(new)
            id = new
        return id


def _counts(event: Event, serving: frozenset[str] | None, as_of: int | None) -> bool:
    return (serving is None or event.platform in serving) and (as_of is None or event.time < as_of)


def _titles(item: Item) -> set[str]:
    return {listing.title for listing in item.listings}
