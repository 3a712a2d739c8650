"""Profiles in an evaluation: read out of the case's own history, so that nothing held out can be in them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from evals.arms import Arm
from evals.recorder import Job
from recall.errors import ModelError
from recall.types import History
from rerank.knowledge.people import Reading, profile_of
from rerank.knowledge.types import Fact, Knowledge, Profile
from rerank.pipeline import Pipeline
from rerank.types import Deadline


class CaseKnowledge:
    """The stored facts, and one person's profile. What the store holds of persons has seen the answer."""

    def __init__(self, stored: Knowledge | None, profile: Profile | None) -> None:
        self._stored, self._profile = stored, profile

    def facts(self, items: Sequence[str]) -> dict[str, tuple[Fact, ...]]:
        return {} if self._stored is None else self._stored.facts(items)

    def profile(self, person: str) -> Profile | None:
        return self._profile


async def with_profile(pipeline: Pipeline, arm: Arm, job: Job) -> Pipeline:
    """The pipeline with the profile that the arm's model reads out of the case's history. A model that fails
    leaves the case without one, as the service would be."""
    case, model = job.case, pipeline.model
    assert model is not None
    domains = set(pipeline.domains.values())
    reading = Reading(
        language=arm.knowledge.language,
        domain=arm.rank.domain or (domains.pop() if len(domains) == 1 else "items"),
        max_tokens=arm.knowledge.max_tokens,
        summary_tokens=arm.rank.summary_tokens,
        floor=arm.rank.floor,
        title_chars=arm.rank.title_chars,
        as_of=case.as_of,
    )
    history = History(case.person, case.history)
    items = {event.item: job.items[event.item] for event in case.history}
    profile: Profile | None = None
    with suppress(ModelError):
        profile = await profile_of(model, history, items, reading, Deadline.after(arm.rank.deadline))
    return pipeline.variant(knowledge=CaseKnowledge(pipeline.use.knowledge, profile))
