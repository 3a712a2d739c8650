"""LangChain's two seams: a retriever over whyrec's candidates, a document compressor over its reranker.

Both take a Source: a pipeline in this process or a running service by its URL. What passes through them is a
person's taste, so LangChain's tracing gets no run of the retriever unless `tracing=True`; what a traced chain
hands on is the application's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any, TypeVar

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    BaseCallbackManager,
    CallbackManagerForRetrieverRun,
    Callbacks,
)
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig, ensure_config
from langchain_core.tracers import LangChainTracer
from pydantic import ConfigDict, Field

from recall.errors import DataError
from rerank.integrations.found import Found, InProcess, Mode, Question, Service, Source
from rerank.integrations.untraced import untraced

__all__ = ["InProcess", "Service", "WhyrecReranker", "WhyrecRetriever"]

T = TypeVar("T")


class WhyrecRetriever(BaseRetriever):
    """Items for a person as documents; the query is what he wants now, and may be empty.

    A document's text is title, year and categories; its metadata is what the service answers: item, rank,
    score, sources, listings, and with mode "explain" the reason with its evidence.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    source: Source
    person: str
    """A person id, or an account as PLATFORM:USER."""
    platform: str | None = None
    """The asking platform."""
    k: int = Field(20, ge=1, le=100)
    mode: Mode = "recall"
    """recall: candidates in recall's order; rank: a model's order; explain: with reasons."""
    seconds: float = Field(30.0, gt=0)
    tracing: bool = False
    """Whether LangChain's tracing may see queries and documents."""

    def invoke(self, input: str, config: RunnableConfig | None = None, **kwargs: Any) -> list[Document]:
        with nullcontext() if self.tracing else untraced():
            return super().invoke(input, config if self.tracing else _without_tracers(config), **kwargs)

    async def ainvoke(
        self, input: str, config: RunnableConfig | None = None, **kwargs: Any
    ) -> list[Document]:
        with nullcontext() if self.tracing else untraced():
            return await super().ainvoke(
                input, config if self.tracing else _without_tracers(config), **kwargs
            )

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return _finish(self._find(query))

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        return await self._find(query)

    async def _find(self, query: str) -> list[Document]:
        question = Question(
            self.person,
            wish=query.strip() or None,
            platform=self.platform,
            k=self.k,
            mode=self.mode,
            seconds=self.seconds,
        )
        return [document(found) for found in await self.source.recommend(question)]


class WhyrecReranker(BaseDocumentCompressor):
    """Documents about whyrec's items in the model's order for a person; at most `k` of them stay.

    A document names its item in `metadata["item"]`, as the retriever's do. Each that stays gets the metadata
    `rank` and `score` of the answer, and with `explain` its reason.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    source: Source
    person: str
    platform: str | None = None
    k: int = Field(10, ge=1, le=100)
    explain: bool = False
    seconds: float = Field(30.0, gt=0)

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        return _finish(self.acompress_documents(documents, query, callbacks))

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        """DataError for a document without an item; of several about one item the first counts."""
        about: dict[str, Document] = {}
        for each in documents:
            item = each.metadata.get("item")
            if not isinstance(item, str):
                raise DataError(
                    f"document {each.page_content[:60]!r} has no metadata 'item': rerank documents of "
                    "WhyrecRetriever, or name whyrec's item id"
                )
            about.setdefault(item, each)
        if not about:
            return []
        question = Question(
            self.person,
            wish=query.strip() or None,
            platform=self.platform,
            k=min(self.k, len(about)),
            depth=len(about),
            mode="explain" if self.explain else "rank",
            seconds=self.seconds,
            candidates=tuple(about),
        )
        answer = await self.source.recommend(question)
        return [_updated(about[found.item], found) for found in answer if found.item in about]


def document(found: Found) -> Document:
    year = f" ({found.year})" if found.year is not None else ""
    text = f"{found.title}{year}" + "".join(f", {each}" for each in found.categories)
    return Document(text, id=found.item, metadata=found.model_dump(exclude_none=True))


def _updated(given: Document, found: Found) -> Document:
    said = found.model_dump(include={"rank", "score", "reason"}, exclude_none=True)
    return given.model_copy(update={"metadata": {**given.metadata, **said}})


def _without_tracers(config: RunnableConfig | None) -> RunnableConfig:
    """The config, that of the run around included, without handlers that trace to LangSmith."""
    whole = ensure_config(config)
    callbacks = whole.get("callbacks")
    if isinstance(callbacks, BaseCallbackManager):
        callbacks = callbacks.copy()
        for handler in [*callbacks.handlers, *callbacks.inheritable_handlers]:
            if isinstance(handler, LangChainTracer):
                callbacks.remove_handler(handler)
    elif callbacks is not None:
        callbacks = [each for each in callbacks if not isinstance(each, LangChainTracer)]
    return {**whole, "callbacks": callbacks or []}


def _finish(work: Coroutine[Any, Any, T]) -> T:
    """The result, from code that does not wait: in a loop of its own, in a thread where one runs already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
