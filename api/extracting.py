"""Extraction of knowledge as the command line starts it: the store, the current build's items, the model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from api.migrations import upgrade
from api.settings import Settings
from recall.build_table import read_table
from recall.errors import NotFound
from recall.library import BuildLibrary
from recall.store import Store, open_store
from recall.store.consents import StoredConsent
from recall.store.links import load_ledger
from recall.types import Item
from recall.workspace import Workspace
from rerank.knowledge.items import Items, domains_of
from rerank.knowledge.people import People, Reading
from rerank.knowledge.runner import Limits, Report, run
from rerank.knowledge.store import cited_events, extracted
from rerank.llm import make_model
from rerank.llm.layers import Layers
from rerank.llm.limits_config import CacheConfig
from rerank.llm.prices import load_prices
from rerank.types import ChatModel

CHUNK = 500
"""Items that are made at a time."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What an extraction stands on."""

    settings: Settings
    store: Store
    library: BuildLibrary
    model: ChatModel


@dataclass(frozen=True, slots=True)
class Options:
    """How much is extracted, and who is told. `only`: ids of items or persons; none: all of them."""

    limits: Limits = field(default_factory=Limits)
    again: bool = False
    only: frozenset[str] = frozenset()
    stop: asyncio.Event | None = None
    progress: Callable[[Report, int], None] = lambda report, total: None
    """Gets the report so far and how many subjects there are."""


@asynccontextmanager
async def open_ground(settings: Settings, model: ChatModel | None = None) -> AsyncIterator[Ground]:
    """The current build, without an artefact: knowledge may come before the first training.

    `model` replaces the configured one. Answers are not kept in the cache of answers: what they say is kept
    as knowledge. NotFound without a build or a model.
    """
    workspace = Workspace(settings.workspace)
    build = workspace.builds.current()
    async with open_store(settings.store.resolve(workspace.store_file)) as store:
        await upgrade(store)
        aliases = (await load_ledger(store)).aliases
        library = await asyncio.to_thread(BuildLibrary, build, store=store, aliases=aliases)
        links = library.links
        library.obey(StoredConsent(store, settings.consent, links.platforms, links.person_id))
        made = model if model is not None else make_model(settings.llm)
        if made is None:
            raise NotFound(
                "no language model to ask: [llm] engine is 'none'; name an endpoint, or set the engine"
            )
        try:
            async with Layers.open(CacheConfig(enabled=False), settings.budget, store) as layers:
                yield Ground(settings, store, library, layers.around(made))
        finally:
            if model is None:
                await made.aclose()


async def extract_items(ground: Ground, options: Options | None = None) -> Report:
    """Read every item of the catalogue that is new or changed, those that came in live first."""
    options = options or Options()
    settings, library = ground.settings, ground.library
    ids = await asyncio.to_thread(library.catalogue)
    if options.only:
        ids = [id for id in ids if id in options.only]

    def items() -> Iterator[Item]:
        for start in range(0, len(ids), CHUNK):
            yield from library.items(ids[start : start + CHUNK])

    config = settings.knowledge
    reading = Items(
        ground.store,
        domains_of({name: one.domain for name, one in settings.platforms.items()}, config.domain),
        await asyncio.to_thread(_categories, Workspace(settings.workspace).builds.folder / library.build),
        config.language,
        config.max_tokens,
    )
    return await run(
        reading.subjects(items()),
        reading.ask,
        reading.read,
        reading.save,
        model=ground.model,
        earlier=await extracted(ground.store, "item"),
        concurrency=config.concurrency,
        limits=options.limits,
        prices=load_prices(settings.budget.prices),
        again=options.again,
        stop=options.stop,
        progress=lambda report: options.progress(report, len(ids)),
    )


async def extract_people(ground: Ground, options: Options | None = None) -> Report:
    """Read the history of every person of the build who is new, or of whom enough came in or went since."""
    options = options or Options()
    settings, library = ground.settings, ground.library
    config = settings.knowledge
    domains = {one.domain for one in settings.platforms.values()}
    reading = Reading(
        language=config.language,
        domain=config.domain or (domains.pop() if len(domains) == 1 else "items"),
        max_tokens=config.max_tokens,
        summary_tokens=settings.rank.summary_tokens,
        floor=settings.rank.floor,
        title_chars=settings.rank.title_chars,
    )
    people = People(
        ground.store,
        library,
        reading,
        ground.model.count,
        await cited_events(ground.store),
        config.refresh_events,
    )
    persons = sorted(options.only) or await asyncio.to_thread(library.people)
    subjects = await asyncio.to_thread(lambda: list(people.subjects(persons)))
    return await run(
        subjects,
        people.ask,
        people.read,
        people.save,
        model=ground.model,
        earlier=await extracted(ground.store, "person"),
        due=people.due,
        empty=people.empty,
        concurrency=config.concurrency,
        limits=options.limits,
        prices=load_prices(settings.budget.prices),
        again=options.again,
        stop=options.stop,
        progress=lambda report: options.progress(report, len(subjects)),
    )


def _categories(build: Path) -> frozenset[str]:
    """All categories that the build's items have, case folded."""
    import pyarrow.compute as pc

    lists = read_table(build, "items", ["categories"])["categories"]
    return frozenset(name.casefold() for name in pc.list_flatten(lists).unique().to_pylist() if name)
