"""What is known of people and items: the current build, and the live events since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from recall.errors import NotFound
from recall.links_index import LinksIndex
from recall.live import Live
from recall.past import Past
from recall.shelf import Shelf
from recall.store.engine import Store
from recall.types import Event, History, Item


class Consents(Protocol):
    """Which of a person's platforms may serve which other."""

    def serves(self, person: str, asking: str) -> frozenset[str] | None:
        """Platforms of that person which may serve `asking`; None: all."""


class BuildLibrary:
    """recall.protocols.Library over one build, the store and the consents.

    Everything is answered from memory: opening reads the build once. Old ids are read through `aliases`
    (old → new). Live events with items that the build does not know wait for the next ingest.
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
        self._live = Live(store, self._links) if store is not None else None
        self._consents = consents
        self._aliases = dict(aliases or {})

    @property
    def links(self) -> LinksIndex:
        """Who an account is and what a listing is."""
        return self._links

    def obey(self, consents: Consents) -> None:
        """Serve by these consents from now on."""
        self._consents = consents

    def person(self, platform: str, user: str) -> str:
        """Person id of a platform's user; NotFound when the platform or the user is unknown."""
        found = self._links.accounts.get((platform, user))
        if found is not None:
            return found[0]
        person, _ = self._links.person(platform, user)
        if self._live is not None and self._live.of(person):
            return person
        if platform not in self._links.platforms:
            known = ", ".join(sorted(self._links.platforms)) or "none"
            raise NotFound(f"no platform {platform!r}; the build has {known}")
        raise NotFound(f"no user {user!r} on {platform!r}: no event and no link names it")

    def history(self, person: str, *, platform: str | None = None, as_of: int | None = None) -> History:
        """The person's events that may serve `platform` (None: any), newest first, before `as_of`."""
        person, live = self._known(person)
        serving = self._serving(person, platform)
        events = list(self._past.events(person, serving, as_of))
        ids = {event.id for event in events} if live else set()
        late = [event for event in live if event.id not in ids and _counts(event, serving, as_of)]
        late = [event for event in late if event.item in self._shelf]
        if late:
            # Stable from both ends: at equal times what came in live is newer than what the build holds.
            events = sorted([*late[::-1], *events], key=lambda event: -event.time)
        return History(person, tuple(events))

    def had(self, person: str, *, platform: str | None = None, as_of: int | None = None) -> frozenset[str]:
        """Ids of the items that the person already had on platforms that may serve `platform`."""
        person, live = self._known(person)
        serving = self._serving(person, platform)
        late = {event.item for event in live if _counts(event, serving, as_of) and event.item in self._shelf}
        return self._past.items(person, serving, as_of) | late

    def items(self, ids: Sequence[str]) -> list[Item]:
        """Items by id, in order; NotFound names the first unknown one. Reads through the aliases."""
        return self._shelf.items([self._resolved(id) for id in ids] if self._aliases else ids)

    def _known(self, person: str) -> tuple[str, tuple[Event, ...]]:
        """The person's current id and live events; NotFound for an unknown person."""
        person = self._resolved(person)
        live = self._live.of(person) if self._live is not None else ()
        if not live and self._past.persons.row(person) < 0:
            raise NotFound(
                f"no person {person!r}; name one by platform and platform user, or run `whyrec ingest`"
            )
        return person, live

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
