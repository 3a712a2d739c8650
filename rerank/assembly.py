"""The one place where a pipeline is put together, for the service, the command line and evals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from recall.artefact import Artefact
from recall.candidates import Candidates
from recall.config import PlatformConfig
from recall.consent import ConsentConfig
from recall.current import Current
from recall.errors import ArtefactError, MissingExtra, NotFound
from recall.library import BuildLibrary
from recall.protocols import Stock
from recall.recall_config import RecallConfig
from recall.store import Store
from recall.store.consents import StoredConsent
from recall.store.links import load_ledger
from recall.workspace import Workspace
from rerank.config import RankConfig, ReasonsConfig
from rerank.journal import Journal
from rerank.knowledge.config import KnowledgeConfig
from rerank.knowledge.reader import StoredKnowledge
from rerank.llm import LLMConfig, make_model
from rerank.llm.layers import Layers
from rerank.pipeline import Pipeline
from rerank.types import ChatModel
from rerank.weights import WeightFile


class Sections(Protocol):
    """The settings that a pipeline is made of."""

    @property
    def workspace(self) -> Path: ...
    @property
    def platforms(self) -> Mapping[str, PlatformConfig]: ...
    @property
    def consent(self) -> ConsentConfig: ...
    @property
    def recall(self) -> RecallConfig: ...
    @property
    def llm(self) -> LLMConfig: ...
    @property
    def rank(self) -> RankConfig: ...
    @property
    def reasons(self) -> ReasonsConfig: ...
    @property
    def knowledge(self) -> KnowledgeConfig: ...


@asynccontextmanager
async def assemble(
    settings: Sections,
    *,
    store: Store | None = None,
    model: ChatModel | None = None,
    layers: Layers | None = None,
) -> AsyncIterator[Pipeline]:
    """A pipeline over the current artefact and its build; `model` replaces the configured one, around which
    `layers` lie.

    It follows: once `whyrec train` or `whyrec models use` has made another artefact current, the next
    requests stand on that one. NotFound where nothing was ingested or trained yet. Without the embedded
    engine or its weights there is no model, and `Pipeline.no_model` says why. Closes the model, not the
    store.
    """
    workspace = Workspace(settings.workspace)
    knowledge = StoredKnowledge(store) if store is not None else None

    def open_stock(folder: Path) -> Stock:
        """In a thread. The build is the artefact's own: a newer one waits for its training."""
        artefact = Artefact.open(folder)
        build = workspace.builds.folder / artefact.manifest.build
        if not build.is_dir():
            raise ArtefactError(
                f"artefact {artefact.name} stands on build {build.name}, which is gone: run `whyrec train`"
            )
        aliases = store.run(load_ledger(store)).aliases if store is not None else {}
        if knowledge is not None:
            knowledge.look()
        library = BuildLibrary(build, store=store, aliases=aliases)
        if store is not None:
            links = library.links
            library.obey(StoredConsent(store, settings.consent, links.platforms, links.person_id))
        return Stock(library, Candidates.open(artefact, settings.recall, workspace.weights))

    _current(workspace, "builds", "whyrec ingest")
    _current(workspace, "models", "whyrec train")
    current = await asyncio.to_thread(Current, workspace.models, open_stock)
    weights = WeightFile(workspace.weights)
    weights()
    reason = ""
    if model is None:
        try:
            model = make_model(settings.llm)
            if layers is not None and model is not None:
                model = layers.around(model)
        except (MissingExtra, NotFound) as error:
            if settings.llm.engine != "auto":
                raise
            reason = str(error)
    journal = Journal(store) if store is not None else None
    embedder = None
    if settings.knowledge.embeddings_url:
        from rerank.knowledge.embeddings import Embedder

        embedder = Embedder(settings.knowledge)
    try:
        yield Pipeline(
            current.get,
            model,
            settings.rank,
            settings.reasons,
            no_model=reason,
            weights=weights,
            domains={name: platform.domain for name, platform in settings.platforms.items()},
            journal=journal,
            layers=layers,
            knowledge=knowledge,
            uses=settings.knowledge,
            embedder=embedder,
        )
    finally:
        try:
            if journal is not None:
                await journal.aclose()
        finally:
            if embedder is not None:
                await embedder.aclose()
            if model is not None:
                await model.aclose()


def _current(workspace: Workspace, kind: str, remedy: str) -> Path:
    try:
        return (workspace.builds if kind == "builds" else workspace.models).current()
    except NotFound as error:
        raise NotFound(f"{error}; run `{remedy}` first") from error
