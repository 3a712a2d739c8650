"""The one path to a recommendation: what the service answers and what evals measures.

History and candidates are fetched or given; a method orders the first candidates within its share of the
deadline; the blend settles the order; reasons are written, checked and replaced by templates where they
fail. Whatever a model does, the answer comes by the deadline, at worst in recall order with template reasons.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from prompts import Prompt, load
from recall.errors import ConfigError, ModelError
from recall.protocols import Library, Recall, Stock
from recall.types import Because, CandidateList, History, Item, Query
from rerank.blend import blend
from rerank.config import RankConfig, ReasonsConfig
from rerank.methods import METHODS, RankTask, check_needs
from rerank.methods.keep_order import kept
from rerank.reasons import Draft, ReasonTask, settle, write_reasons
from rerank.stopwatch import Stopwatch
from rerank.summary import EMPTY, Summary, summarise
from rerank.types import (
    Call,
    Cause,
    ChatModel,
    Deadline,
    Provenance,
    RankedItem,
    Ranking,
    Reason,
    Recommendation,
    Request,
    Status,
    Usage,
)
from rerank.weights import RankWeights

RANK_SHARE = 0.6
"""Part of the time left that ranking may take when reasons follow."""

RESERVE_SECONDS = 0.15
"""Kept back from the models for templates and the answer itself; at most a fifth of the time left."""

_HOPELESS = frozenset({Cause.DEADLINE, Cause.BUDGET, Cause.BREAKER_OPEN, Cause.CONNECTION})
"""After these the model is not asked for reasons either."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a request stands on, once fetched: `items` holds those of candidates and history."""

    stock: Stock
    history: History
    query: Query
    found: CandidateList
    items: dict[str, Item]


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
    ) -> None:
        """`stock` and `weights` are asked once for each request; `no_model` says why there is no model.

        `domains` says for each platform what it offers, in a word of prompts/domains.yaml.
        """
        self.stock = stock
        self.model = model
        self.rank = rank
        self.reasons = reasons
        self.no_model = no_model
        self.weights = weights
        self.domains = domains

    def variant(
        self,
        *,
        rank: RankConfig | None = None,
        reasons: ReasonsConfig | None = None,
        model: ChatModel | None = None,
    ) -> Pipeline:
        """Another way to rank over the same stock: a scenario, an evaluation's arm. None keeps ours."""
        return Pipeline(
            self.stock,
            model or self.model,
            rank or self.rank,
            reasons or self.reasons,
            no_model=self.no_model,
            weights=self.weights,
            domains=self.domains,
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
        watch = Stopwatch()
        deadline = request.deadline or Deadline.after(self.rank.deadline)
        prompt = self._rank_prompt(request)
        with watch("recall"):
            ground = await asyncio.to_thread(self._ground, request)
        depth = min(request.depth or self.rank.depth, len(ground.found.candidates))
        with watch("rank"):
            summary, ranking = await self._rank(request, ground, depth, prompt, deadline)
        weight, source, segment = self._weight(request, ground, prompt)
        order = blend(
            [candidate.score for candidate in ground.found.candidates], ranking, weight, self.rank.cap
        )
        ranked = _ranked(ground, ranking, order.order[: request.k], order.scores)
        drafts: list[Draft] = []
        calls: list[Call] = []
        reasons_cause: Cause | None = Cause.KEEP_ORDER
        counts: Counter[str] = Counter()
        if request.mode == "explain":
            with watch("reasons"):
                task = self._reason_task(request, ground, ranked, summary)
                drafts, calls, reasons_cause = await self._draft(task, ranking, deadline)
            with watch("explain"):
                reasons = await asyncio.to_thread(self._settle, task, drafts, ground)
            counts = _counted(drafts, reasons)
            ranked = [replace(item, reason=reason) for item, reason in zip(ranked, reasons, strict=True)]
            if drafts and not counts["checked"]:
                reasons_cause = reasons_cause or Cause.WITHHELD
        every = (*ranking.calls, *calls)
        method = "keep-order" if ranking.cause in (Cause.KEEP_ORDER, Cause.NO_MODEL) else self.rank.method
        provenance = Provenance(
            rerank_status=_status(sum(p == "model" for p in ranking.places), depth, ranking.cause),
            cause=ranking.cause,
            reasons_status=_status(counts["checked"], len(ranked), reasons_cause),
            reasons_cause=reasons_cause,
            model=next((call.model for call in every if call.reply is not None), None)
            or (self.model.name if self.model else None),
            method=method,
            prompt=prompt.id if prompt else None,
            prompt_hash=prompt.hash if prompt else None,
            artefact=ground.found.artefact,
            weight=weight,
            weight_source=source,
            usage=sum((call.usage for call in every), Usage()),
            calls=len(every),
            cache_hits=sum(call.cached for call in every),
            milliseconds=watch.milliseconds(),
            repairs=dict(ranking.repairs),
            removed=dict(ground.found.removed),
            reasons=dict(counts),
            weight_segment=segment,
        )
        return Recommendation(
            uuid.uuid4().hex,
            request,
            ground.history,
            tuple(ranked),
            provenance,
            calls=tuple(every),
            ranking=ranking,
        )

    def _ground(self, request: Request) -> Ground:
        """CPU work and reads of the store: runs in a thread."""
        stock = self.stock()
        history, had = request.history, frozenset[str]()
        if history is None:
            history = History(None)
            if request.person is not None:
                platform, as_of = request.platform, request.as_of
                history = stock.library.history(request.person, platform=platform, as_of=as_of)
                had = stock.library.had(request.person, platform=platform, as_of=as_of)
        query = Query(
            history=history,
            platform=request.platform,
            as_of=request.as_of,
            n=max(request.n, request.k, request.depth or 0),
            filters=request.filters,
            had=had,
        )
        if request.candidates is None:
            found = stock.recall.candidates(query)
        else:
            found = CandidateList(request.candidates, {}, stock.recall.artefact)
        shown = max(request.k, request.depth or self.rank.depth)
        wanted = dict.fromkeys(
            [candidate.item for candidate in found.candidates[:shown]]
            + [event.item for event in history.events]
        )
        items = dict(zip(wanted, stock.library.items(list(wanted)), strict=True))
        return Ground(stock, history, query, found, items)

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

    def _prompt(self, name: str, request: Request) -> Prompt:
        """In the request's language and the words of what the asking platform offers."""
        common = set(self.domains.values())
        own = self.domains.get(request.platform or "") or (common.pop() if len(common) == 1 else "items")
        domain = self.rank.domain or own
        return load(name, language=request.language, domain=domain, words=self.rank.words)

    async def _rank(
        self, request: Request, ground: Ground, depth: int, prompt: Prompt | None, deadline: Deadline
    ) -> tuple[Summary, Ranking]:
        """The history's summary and the model's order of the first `depth` candidates."""
        if request.mode == "recall":
            return EMPTY, kept(depth, Cause.KEEP_ORDER)
        if self.model is None:
            return EMPTY, kept(depth, Cause.NO_MODEL)
        if depth == 0:
            return EMPTY, kept(0, Cause.NO_CANDIDATES)
        share = RANK_SHARE if request.mode == "explain" and self.reasons.enabled else 1.0
        own = _part(deadline, share)
        summary = EMPTY
        try:
            async with asyncio.timeout(own.left()):
                capabilities = await self.model.capabilities(own)
                summary = await self._summary(request, ground, self.model)
                if prompt is None:
                    return summary, kept(depth, Cause.KEEP_ORDER)
                method = METHODS[self.rank.method]
                check_needs(method, capabilities)
                shown = tuple(ground.items[c.item] for c in ground.found.candidates[:depth])
                task = RankTask(
                    summary=summary,
                    candidates=shown,
                    prompt=prompt,
                    platform=request.platform,
                    wish=request.wish,
                    settings=self.rank,
                )
                return summary, await method.rank(task, self.model, own)
        except TimeoutError:
            cause = Cause.DEADLINE
        except ModelError as error:
            cause = Cause(error.cause)
        except ConfigError:
            cause = Cause.UNSUPPORTED
        return summary, kept(depth, cause)

    async def _summary(self, request: Request, ground: Ground, model: ChatModel) -> Summary:
        return await summarise(
            ground.history,
            ground.items,
            platform=request.platform,
            now=int(time.time()) if request.as_of is None else request.as_of,
            budget_tokens=self.rank.summary_tokens,
            count=model.count,
            floor=self.rank.floor,
            language=request.language,
            title_chars=self.rank.title_chars,
        )

    def _weight(
        self, request: Request, ground: Ground, prompt: Prompt | None
    ) -> tuple[float, Literal["default", "configured", "fitted", "none"], str | None]:
        """The weight, where it comes from, and the segment of a fitted one.

        No wish took part in the fitting, so a request with one has the engine's default.
        """
        if self.rank.weight is not None:
            return self.rank.weight, "configured", None
        if self.model is None:
            return 0.0, "none", None
        if prompt is not None and not request.wish:
            own = (self.model.name, prompt.method, prompt.file_hash)
            if found := self.weights().of(*own, ground.history, request.platform):
                return found[0], "fitted", found[1]
        return self.model.weight, "default", None

    def _reason_task(
        self, request: Request, ground: Ground, ranked: Sequence[RankedItem], summary: Summary
    ) -> ReasonTask:
        name = self.reasons.prompt or f"reasons-{self.reasons.per}"
        return ReasonTask(
            summary=summary,
            items=tuple(item.item for item in ranked),
            known=ground.items,
            prompt=self._prompt(name, request),
            platform=request.platform,
            wish=request.wish,
            language=request.language,
            settings=self.reasons,
            title_chars=self.rank.title_chars,
            description_chars=self.rank.description_chars,
        )

    async def _draft(
        self, task: ReasonTask, ranking: Ranking, deadline: Deadline
    ) -> tuple[list[Draft], list[Call], Cause | None]:
        if self.model is None:
            return [], [], Cause.NO_MODEL
        if not self.reasons.enabled:
            return [], [], Cause.KEEP_ORDER
        if ranking.cause in _HOPELESS:
            return [], [], ranking.cause
        own = _part(deadline, 1.0)
        try:
            async with asyncio.timeout(own.left()):
                return await write_reasons(task, self.model, own)
        except TimeoutError:
            return [], [], Cause.DEADLINE
        except ModelError as error:
            return [], [], Cause(error.cause)

    def _settle(self, task: ReasonTask, drafts: Sequence[Draft], ground: Ground) -> list[Reason]:
        ids = [item.id for item in task.items]
        because: list[Because] = ground.stock.recall.explain(ground.query, ids)
        return settle(task, drafts, because, ground.history, floor=self.rank.floor)


def _part(deadline: Deadline, share: float) -> Deadline:
    """A deadline of its own for one stage, within the request's."""
    left = deadline.left()
    return Deadline.after(max(0.0, left - min(RESERVE_SECONDS, left / 5)) * share)


def _ranked(
    ground: Ground, ranking: Ranking, order: Sequence[int], scores: Sequence[float]
) -> list[RankedItem]:
    placed = {position: place for place, position in enumerate(ranking.order)}
    ranked = []
    for place, position in enumerate(order):
        candidate = ground.found.candidates[position]
        said = placed.get(position)
        whence = "recall" if said is None else ranking.places[said]
        ranked.append(
            RankedItem(
                item=ground.items[candidate.item],
                rank=place + 1,
                score=scores[place],
                candidate=candidate,
                place=whence,
                model_rank=said + 1 if said is not None and whence == "model" else None,
            )
        )
    return ranked


def _status(done: int, of: int, cause: Cause | None) -> Status:
    if done == 0:
        return Status.SKIPPED
    return Status.FULL if done >= of and cause is None else Status.PARTIAL


def _counted(drafts: Sequence[Draft], reasons: Sequence[Reason]) -> Counter[str]:
    counts = Counter(
        written=len(drafts),
        checked=sum(reason.author == "llm" for reason in reasons),
        template=sum(reason.author == "template" for reason in reasons),
    )
    counts.update(f"withheld:{reason.withheld}" for reason in reasons if reason.withheld)
    return counts
