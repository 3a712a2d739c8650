"""What the HTTP routes share: the pipeline and the store, opened once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import Request as HTTPRequest

from api.allowance import Allowance
from api.batches import Batches, working
from api.measuring import Measuring
from api.metrics import Metrics
from api.opening import open_pipeline
from api.scenarios import Scenarios
from api.settings import Settings
from recall.errors import ModelError
from recall.library import BuildLibrary
from recall.store import Store
from recall.types import Event, History, Query
from rerank.journal import Journal
from rerank.llm.prices import load_prices
from rerank.pipeline import Pipeline
from rerank.types import Capabilities, Deadline, Request

PROBE_SECONDS = 5.0
"""How long readiness waits for the language model to tell what it can do."""


@dataclass(frozen=True)
class Service:
    settings: Settings
    pipeline: Pipeline
    store: Store
    scenarios: Scenarios
    metrics: Metrics = field(default_factory=Metrics)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process was told to stop: streams end with an event then."""

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[Service]:
        """NotFound with the remedy where nothing was ingested or trained yet."""
        async with open_pipeline(settings) as (pipeline, store):
            await _warm(pipeline)
            async with Scenarios.open(settings, pipeline) as scenarios:
                metrics = Metrics(load_prices(settings.budget.prices))
                service = cls(settings, pipeline, store, scenarios, metrics)
                async with working(service):
                    yield service

    @cached_property
    def measuring(self) -> Measuring:
        return Measuring()

    @cached_property
    def allowance(self) -> Allowance:
        return Allowance(self.store, self.settings.security)

    @cached_property
    def batches(self) -> Batches:
        return Batches(self.store)

    @property
    def journal(self) -> Journal:
        journal = self.pipeline.journal
        assert journal is not None  # assembled with a store
        return journal

    @property
    def library(self) -> BuildLibrary:
        """The current build's, with all that only a service asks for."""
        library = self.pipeline.library
        assert isinstance(library, BuildLibrary)  # as assembled
        return library

    async def person(self, platform: str, user: str) -> str:
        """Person id of an account; NotFound when the platform or the user is unknown."""
        library = self.library
        if mark := library.at_once():  # as nearly always: a thread would cost more than the answer
            return library.person(platform, user, mark)
        return await asyncio.to_thread(library.person, platform, user)

    async def erased(self, person: str, since: int) -> bool:
        """Whether the person's data were erased at `since` (UTC seconds) or later, by whichever process."""
        library = self.library
        if mark := library.at_once():
            return library.erased(person, since, mark)
        return await asyncio.to_thread(library.erased, person, since)

    async def capabilities(self) -> tuple[Capabilities | None, str | None]:
        """What the model can do, or None and why. Engines remember a probe that succeeded."""
        model = self.pipeline.model
        if model is None:
            return None, self.pipeline.no_model or "none is configured"
        try:
            deadline = Deadline.after(PROBE_SECONDS)
            async with asyncio.timeout(PROBE_SECONDS):
                return await model.capabilities(deadline), None
        except TimeoutError:
            return None, "deadline"
        except ModelError as error:
            return None, str(error.cause)


async def _warm(pipeline: Pipeline) -> None:
    """One answer to nobody: what is loaded and compiled on first use is not paid by the first caller."""
    known = await pipeline.recommend(Request(None, k=1, mode="recall"))
    if known.items:
        item = known.items[0].item
        event = Event("warm", item.platforms[0], item.id, "seen", int(time.time()))
        history = History(None, (event,))
        found = await pipeline.recommend(Request(None, k=1, mode="recall", history=history))
        ids = [each.item.id for each in found.items]
        await asyncio.to_thread(pipeline.recall.explain, Query(history), ids)


async def _service(request: HTTPRequest) -> Service:
    """A coroutine, since FastAPI sends a plain function to a thread."""
    return cast(Service, request.app.state.service)


Opened = Annotated[Service, Depends(_service)]
"""The running service, for a route."""
