"""From a question at a door to the pipeline's request, the way it is answered, and the journal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from api.answers import document_of, filters_of, json_of
from api.keys import Key
from api.people import Unusable, check_platform
from api.scenarios import Plan, under
from api.schemas import RecommendationBody, RecommendationQuery
from api.schemas.recommendations import HistoryEntry
from api.service import Service
from api.tracing import annotate
from prompts import load
from recall.errors import NotFound
from recall.ids import MICRO
from recall.library import BuildLibrary
from recall.types import DISLIKE, LIKE, Candidate, Event, Filters, History
from recall.weigh import Refused, weigh
from rerank.ground import in_order
from rerank.journal import Served
from rerank.types import Deadline, Recommendation, Request

PAGE_SECONDS = 1.0
"""How long a page before, answered by another process a moment ago, is waited for."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and how it is answered."""

    request: Request
    plan: Plan
    began: int
    """UTC seconds."""
    payer: Key | None = None
    """Whose day the model's tokens count in."""

    async def paid_by(self, service: Service, key: Key) -> Question:
        """The same question at this key's cost: without a model where nothing is left of the key's day."""
        spent = await service.allowance.spent(key)
        return replace(self, payer=key, request=replace(self.request, spent=spent))

    async def answer(self, service: Service) -> Recommendation:
        """Ask the pipeline; the answer is counted and on its way into the journal."""
        found = await self.plan.pipeline.recommend(self.request)
        await self.keep(service, found)
        return found

    async def keep(self, service: Service, found: Recommendation) -> None:
        """Count it and queue it for the journal; not that of a person who was erased while it was made."""
        plan, person = self.plan, self.request.person
        service.metrics.observe(found)
        annotate(found)
        if self.payer is not None:
            usage = found.provenance.usage
            await service.allowance.add(self.payer, usage.prompt + usage.completion)
        if person is not None and await service.erased(person, self.began):
            return
        service.journal.write(
            found,
            scenario=plan.scenario,
            experiment=plan.experiment,
            arm=plan.arm,
            propensity=plan.propensity,
        )

    def shown(self, found: Recommendation) -> bytes:
        """The JSON of schemas.RecommendationAnswer."""
        plan = self.plan
        return json_of(document_of(found, scenario=plan.scenario, experiment=plan.experiment, arm=plan.arm))


async def question_of(
    service: Service,
    asked: RecommendationBody | RecommendationQuery,
    *,
    person: str | None,
    history: Sequence[HistoryEntry] | None = None,
) -> Question:
    """The deadline runs from here. NotFound for what the question names and nobody knows."""
    began = int(time.time())
    deadline = None if asked.deadline_ms is None else Deadline.after(asked.deadline_ms / 1000)
    config = service.scenarios.config(asked.scenario)
    platform = asked.platform or config.platform
    check_platform(service.settings, platform)
    given = asked.filters if isinstance(asked, RecommendationBody) else asked
    filters = filters_of(given)
    if asked.after is not None:
        before = await page_before(service, asked.after, person=person, platform=platform)
        filters = _without(filters, before)
    inline = None
    if history is not None:
        library = service.library
        inline = await asyncio.to_thread(_history, service, library, history)
    request = Request(
        person=person,
        platform=platform,
        k=asked.k or config.k or 10,
        depth=asked.depth,
        wish=asked.wish,
        as_of=asked.as_of,
        deadline=deadline,
        mode=asked.mode or config.mode or "explain",
        language=asked.language or config.language or "en",
        prompt=asked.prompt,
        filters=filters,
        history=inline,
        candidates=_given(asked.candidates) if isinstance(asked, RecommendationBody) else None,
    )
    plan = service.scenarios.plan(asked.scenario, asked.arm, person)
    if asked.prompt is not None:
        _check_prompt(asked.prompt, plan, request.language)
    return Question(under(config, request), plan, began)


def _given(items: Sequence[str] | None) -> tuple[Candidate, ...] | None:
    return None if items is None else in_order(items)


async def page_before(service: Service, id: str, *, person: str | None, platform: str | None) -> Served:
    """NotFound for an answer that is unknown, or was given to another person or platform."""
    until = time.monotonic() + PAGE_SECONDS
    while True:
        try:
            served = await service.journal.read(id)
            break
        except NotFound:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.05)
    if (served.person, served.platform) != (person, platform):
        raise NotFound(f"recommendation {id!r} answered another question: page on with the same one")
    return served


def _check_prompt(name: str, plan: Plan, language: str) -> None:
    method = plan.pipeline.rank.method
    prompt = load(name, language=language)
    if prompt.method != method:
        raise Unusable(f"prompt {name!r} is for the method {prompt.method!r}; this scenario's is {method!r}")


def _without(filters: Filters, before: Served) -> Filters:
    """The journal's request holds what the pages before it held."""
    earlier = cast("list[str]", before.request["filters"]["exclude"])
    return replace(filters, exclude=filters.exclude | set(earlier) | {place.item for place in before.items})


def _history(service: Service, library: BuildLibrary, entries: Sequence[HistoryEntry]) -> History:
    """Newest first; entries without a time come one second apart, the first one now."""
    now = int(time.time())
    events = []
    for place, entry in enumerate(entries):
        at = now - place if entry.time is None else entry.time
        id = f"inline-{place}"
        if entry.item is not None:
            item = library.items([entry.item])[0]
            event = Event(id, (item.platforms or ("",))[0], item.id, "chosen", at)
        else:
            event = _event(service, library, entry, at, place)
            event = replace(event, id=id)
        if entry.liked is not None and entry.liked != (event.polarity == LIKE):
            liked = entry.liked
            event = replace(event, polarity=LIKE if liked else DISLIKE, weight=1.0 if liked else 0.0)
        events.append(event)
    return History(None, tuple(sorted(events, key=lambda event: -event.time)))


def _event(service: Service, library: BuildLibrary, entry: HistoryEntry, at: int, place: int) -> Event:
    assert entry.platform is not None and entry.listing is not None
    check_platform(service.settings, entry.platform)
    found = weigh(
        entry.platform,
        service.settings.platforms[entry.platform],
        user="nobody",
        listing=entry.listing,
        type=entry.type,
        time=at,
        value=entry.value,
        latest=at,
    )
    if isinstance(found, Refused):
        raise Unusable(f"history.{place}: {found.message}")
    item = library.item_id(found.platform, found.listing)
    library.items([item])
    return Event(
        id="",
        platform=found.platform,
        item=item,
        type=found.type,
        time=at,
        value=found.value,
        weight=found.weight / MICRO,
        polarity=found.polarity,
    )
