"""The one path to a recommendation: what the service answers and what evals measures.

History and candidates are fetched or given; a method orders the first candidates within its share of the
deadline; the blend settles the order; reasons are written, checked and replaced by templates where they
fail. Whatever a model does, the answer comes by the deadline, at worst in recall order with template reasons.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from prompts import Prompt, load
from recall.errors import ConfigError, ModelError
from recall.protocols import Library, Recall, Stock
from rerank.blend import blend
from rerank.common import Shared
from rerank.config import RankConfig, ReasonsConfig
from rerank.explaining import explain
from rerank.ground import Ground, fetch
from rerank.interest import interest_of
from rerank.knowledge.config import KnowledgeConfig
from rerank.knowledge.types import Knowledge
from rerank.knowledge.use import Use, UseCounts
from rerank.llm.asker import Asker, bound
from rerank.methods import METHODS, RankTask, check_needs
from rerank.methods.keep_order import kept
from rerank.provenance import ReasonsAccount, provenance_of
from rerank.reasons import ReasonTask
from rerank.shown import Shown
from rerank.stopwatch import Stopwatch
from rerank.summary import EMPTY, Summary
from rerank.types import (
    Cause,
    ChatModel,
    Deadline,
    Done,
    Ranked,
    RankedItem,
    Ranking,
    Reason,
    Reasoned,
    Recalled,
    Recommendation,
    Request,
    StreamEvent,
)
from rerank.weights import RankWeights, weigh

if TYPE_CHECKING:
    from rerank.journal import Journal
    from rerank.knowledge.embeddings import Embedder
    from rerank.llm.layers import Layers

RANK_SHARE = 0.6
"""Part of the time left that ranking may take when reasons follow."""

RESERVE_SECONDS = 0.15
"""Kept back from the models for templates and the answer itself; at most a fifth of the time left."""

_HOPELESS = frozenset({Cause.DEADLINE, Cause.BUDGET, Cause.BREAKER_OPEN, Cause.CONNECTION})
"""After these the model is not asked for reasons either."""

Items = tuple[RankedItem, ...]


class Pipeline:
    """Answers requests. Made by rerank/assembly.py; safe for concurrent requests on one event loop."""

    def __init__(
        self,
        stock: Callable[[], Stock],
        model: ChatModel | None,
        rank: RankConfig,
        reasons: ReasonsConfig,
        *,
        no_model: str = "",
        weights: Callable[[], RankWeights] = RankWeights,
        domains: Mapping[str, str] = MappingProxyType({}),
        journal: Journal | None = None,
        layers: Layers | None = None,
        knowledge: Knowledge | None = None,
        uses: KnowledgeConfig | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        """`stock` and `weights` are asked once for each request; `no_model` says why there is no model.

        `domains` says for each platform what it offers, in a word of prompts/domains.yaml. `journal` is for
        whoever serves the answers: a pipeline writes nothing into it. `layers` lie around the model already;
        they are for other models over the same store. `knowledge` holds facts and profiles, and `uses` says
        where they count; without it there are none. `embedder` makes the vectors of wishes where an endpoint
        made those of the items.
        """
        self.stock = stock
        self.model = model
        self.rank = rank
        self.reasons = reasons
        self.no_model = no_model
        self.weights = weights
        self.domains = domains
        self.journal = journal
        self.layers = layers
        self.embedder = embedder
        self.use = Use(knowledge, uses or KnowledgeConfig())

    def variant(
        self,
        *,
        rank: RankConfig | None = None,
        reasons: ReasonsConfig | None = None,
        model: ChatModel | None = None,
        stock: Callable[[], Stock] | None = None,
        knowledge: Knowledge | None = None,
        uses: KnowledgeConfig | None = None,
    ) -> Pipeline:
        """Another way to rank: a scenario, an evaluation's arm. None keeps ours."""
        return Pipeline(
            stock or self.stock,
            model or self.model,
            rank or self.rank,
            reasons or self.reasons,
            no_model=self.no_model,
            weights=self.weights,
            domains=self.domains,
            journal=self.journal,
            layers=self.layers,
            knowledge=knowledge or self.use.knowledge,
            uses=uses or self.use.config,
            embedder=self.embedder,
        )

    @property
    def library(self) -> Library:
        return self.stock().library

    @property
    def recall(self) -> Recall:
        return self.stock().recall

    async def recommend(self, request: Request) -> Recommendation:
        """At most `request.k` items; fewer only where no more candidates are allowed.

        NotFound for an unknown person, item or prompt; nothing that a model does raises.
        """
        async with aclosing(self.stream(request)) as events:
            async for event in events:
                if isinstance(event, Done):
                    return event.recommendation
        raise AssertionError("a stream without an end")

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        """The answer as it comes about: Recalled, Ranked, a Reasoned for each item when its reason is ready
        (mode 'explain' only), Done.

        Raises as `recommend` does. Closing the stream cancels what the model still does for it; the deadline
        runs while the consumer takes its time over an event.
        """
        mine = self if self.model is None else self.variant(model=bound(self.model, Asker(request.person)))
        async with aclosing(mine._stream(request)) as events:
            async for event in events:
                yield event

    async def _stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        watch, id = Stopwatch(), uuid.uuid4().hex
        deadline = request.deadline or Deadline.after(self.rank.deadline)
        prompt, wording = self._rank_prompt(request), self._reasons_prompt(request)
        with watch("recall"):
            interest = await interest_of(self.stock, request, self.embedder, deadline)
            ground = await asyncio.to_thread(lambda: fetch(self.stock(), request, self.rank.depth, interest))
        yield Recalled(ground.recalled(request.k))
        depth = min(request.depth or self.rank.depth, len(ground.found.candidates))
        used = UseCounts()
        shown = Shown(request, ground, self.rank, self.use, used)
        with watch("rank"):
            summary, ranking = await self._rank(request, ground, depth, prompt, deadline, shown)
        default = self.model.weight if self.model else None
        weighed = weigh(
            self.rank.weight, default, self.weights, ranking.model, prompt, request, ground.history
        )
        scores = ground.found.scores
        order = blend(scores, ranking, weighed[0], self.rank.cap)
        ranked = ground.ranked(ranking, order.order[: request.k], order.scores)
        yield Ranked(ranked)
        account, found = ReasonsAccount(), dict[int, Reason]()
        if wording is not None:
            skip = self._no_reasons(ranking, summary)
            model = None if skip else self.model
            own = _part(deadline, 1.0)
            shared: tuple[Shared, ...] = ()
            if model is not None:
                with watch("explain"):
                    items = [one.item for one in ranked]
                    shared = await shown.shared(items, summary or EMPTY, self.reasons.silent, own)
            task = self._reason_task(request, ground, ranked, summary or EMPTY, wording, shared)
            account.cause = skip
            explaining = explain(
                task,
                ground,
                model,
                own,
                floor=self.rank.floor,
                watch=watch,
                account=account,
                facts=self.use.facts if self.use.in_reasons else None,
            )
            async with aclosing(explaining) as reasons:
                async for place, reason in reasons:
                    found[place] = reason
                    used.counts["fact_reasons"] += any(one.source for one in reason.evidence)
                    yield Reasoned(place + 1, ranked[place].item.id, reason)
        else:
            account.cause = Cause.KEEP_ORDER
        provenance = provenance_of(
            ground,
            ranking,
            account,
            weighed,
            sent=depth,
            returned=len(ranked),
            method=self.rank.method,
            model=self.model.name if self.model else None,
            prompt=prompt,
            milliseconds=watch.milliseconds(),
            knowledge=used.told(),
        )
        told = ranked
        if found:
            told = tuple(replace(item, reason=found.get(place)) for place, item in enumerate(ranked))
        calls = (*ranking.calls, *account.calls)
        yield Done(Recommendation(id, request, ground.history, told, provenance, calls, ranking))

    def _rank_prompt(self, request: Request) -> Prompt | None:
        method = METHODS[self.rank.method]
        if self.model is None or request.mode == "recall" or not method.prompt:
            return None
        name = request.prompt or self.rank.prompt or method.prompt
        prompt = self._prompt(name, request)
        if prompt.method != method.name:
            raise ConfigError(
                f"prompt {prompt.id!r} is for {prompt.method}, but [rank] method is {method.name!r}: "
                "choose another with `whyrec prompts list`"
            )
        return prompt

    def _reasons_prompt(self, request: Request) -> Prompt | None:
        """None where no reasons are asked for."""
        if request.mode != "explain":
            return None
        return self._prompt(self.reasons.prompt or f"reasons-{self.reasons.per}", request)

    def _prompt(self, name: str, request: Request) -> Prompt:
        """In the request's language and the words of what the asking platform offers."""
        common = set(self.domains.values())
        own = self.domains.get(request.platform or "") or (common.pop() if len(common) == 1 else "items")
        domain = self.rank.domain or own
        return load(name, language=request.language, domain=domain, words=self.rank.words)

    async def _rank(
        self,
        request: Request,
        ground: Ground,
        depth: int,
        prompt: Prompt | None,
        deadline: Deadline,
        shown: Shown,
    ) -> tuple[Summary | None, Ranking]:
        """The history's summary, None where none was made, and the model's order of the first `depth`
        candidates."""
        if request.mode == "recall":
            return None, kept(depth, Cause.KEEP_ORDER)
        if self.model is None:
            return None, kept(depth, Cause.NO_MODEL)
        if depth == 0:
            return None, kept(0, Cause.NO_CANDIDATES)
        if request.spent:
            return None, kept(depth, Cause.BUDGET)
        share = RANK_SHARE if request.mode == "explain" and self.reasons.enabled else 1.0
        own = _part(deadline, share)
        summary: Summary | None = None
        try:
            async with asyncio.timeout(own.left()):
                capabilities = await self.model.capabilities(own)
                summary = await shown.history(self.model)
                if prompt is None:
                    return summary, kept(depth, Cause.KEEP_ORDER)
                method = METHODS[self.rank.method]
                check_needs(method, capabilities)
                candidates = tuple(ground.items[c.item] for c in ground.found.candidates[:depth])
                person, profile = await shown.person(summary, prompt, self.model)
                task = RankTask(
                    summary=person,
                    candidates=candidates,
                    prompt=prompt,
                    platform=request.platform,
                    wish=request.wish,
                    settings=self.rank,
                    facts=await shown.facts(candidates),
                    profile=profile,
                )
                return summary, await method.rank(task, self.model, own)
        except TimeoutError:
            cause = Cause.DEADLINE
        except ModelError as error:
            cause = Cause(error.cause)
        except ConfigError:
            cause = Cause.UNSUPPORTED
        return summary, kept(depth, cause)

    def _reason_task(
        self,
        request: Request,
        ground: Ground,
        ranked: tuple[RankedItem, ...],
        summary: Summary,
        prompt: Prompt,
        shared: tuple[Shared, ...],
    ) -> ReasonTask:
        return ReasonTask(
            summary=summary,
            items=tuple(item.item for item in ranked),
            known=ground.items,
            prompt=prompt,
            platform=request.platform,
            wish=request.wish,
            language=request.language,
            settings=self.reasons,
            title_chars=self.rank.title_chars,
            description_chars=self.rank.description_chars,
            shared=shared,
        )

    def _no_reasons(self, ranking: Ranking, summary: Summary | None) -> Cause | None:
        """Why the model is not asked for reasons; None: it is."""
        if self.model is None:
            return Cause.NO_MODEL
        if not self.reasons.enabled:
            return Cause.KEEP_ORDER
        return ranking.cause if summary is None or ranking.cause in _HOPELESS else None


def _part(deadline: Deadline, share: float) -> Deadline:
    """A deadline of its own for one stage, within the request's."""
    left = deadline.left()
    return Deadline.after(max(0.0, left - min(RESERVE_SECONDS, left / 5)) * share)
