"""How the doors open what they answer from: the store at its newest schema, and the pipeline over it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from api.migrations import upgrade
from api.settings import Settings
from recall.errors import ModelError
from recall.store import Store, open_store
from recall.workspace import Workspace
from rerank.assembly import assemble
from rerank.llm import choose_engine, with_environment
from rerank.llm.layers import Layers
from rerank.pipeline import Pipeline
from rerank.types import Deadline

LOAD_SECONDS = 120.0
"""How long a model in this process may take to load."""


@asynccontextmanager
async def open_pipeline(settings: Settings) -> AsyncIterator[tuple[Pipeline, Store]]:
    """The pipeline and the store it reads; NotFound with the remedy where nothing was ingested or trained.

    A model in this process is loaded first: that takes seconds, which no request's deadline should pay. An
    endpoint is asked nothing: one that hangs costs a request its deadline, not the start.
    """
    async with open_store(settings.store.resolve(Workspace(settings.workspace).store_file)) as store:
        await upgrade(store)
        async with (
            Layers.open(settings.cache, settings.budget, store) as layers,
            assemble(settings, store=store, layers=layers) as pipeline,
        ):
            if pipeline.model is not None and _engine(settings) != "openai":
                with suppress(ModelError):
                    await pipeline.model.capabilities(Deadline.after(LOAD_SECONDS))
            yield pipeline, store


def _engine(settings: Settings) -> str:
    return choose_engine(with_environment(settings.llm, os.environ))
