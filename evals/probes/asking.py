"""Asking a model for its own order of a person's list, as it is shown, beside any blend."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from evals.erase import PROBES
from evals.fit.validation import Question
from evals.lines import Lines
from recall.types import Candidate
from rerank.pipeline import Pipeline
from rerank.types import Deadline, Ranking, Request


@dataclass(frozen=True, slots=True)
class Shown:
    """A list as a model was shown it, and its answer. Entries are the question's own candidates' places.

    `answer` is None where nothing came back; what the model left out stands in it where it was shown.
    """

    person: str
    shown: tuple[int, ...]
    answer: tuple[int, ...] | None
    cause: str | None = None


def pool(question: Question, n: int) -> tuple[Candidate, ...]:
    """The first n candidates in recall order, the target among them: the last one makes way for it."""
    first = question.candidates[:n]
    if not any(one.item == question.target for one in first):
        first = (*first[: n - 1], Candidate(question.target, len(first[: n - 1]), 0.0))
    return first


def answers_file(workspace: Path, probe: str, identity: Mapping[str, Any]) -> Path:
    """Where the answers to a probe are kept: named by all that they depend on."""
    digest = hashlib.sha256(json.dumps(dict(identity), sort_keys=True).encode()).hexdigest()[:16]
    return workspace / PROBES / f"{probe}-{digest}.jsonl"


class Asker:
    """Asks a pipeline and keeps what it said in `log`, so that a run that was cut off asks nothing twice.

    Failures of the model are answers too, but not kept.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        log: Lines | None = None,
        *,
        seconds: float = 120.0,
        progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        self.pipeline, self.done = pipeline, 0
        self._log, self._seconds, self._progress = log, seconds, progress
        self._known = {row["key"]: _shown(row["said"]) for row in log.rows()} if log else {}

    @property
    def model(self) -> str:
        return self.pipeline.model.name if self.pipeline.model else "none"

    async def __call__(
        self,
        key: str,
        question: Question,
        candidates: Sequence[Candidate],
        order: Sequence[int],
        *,
        pipeline: Pipeline | None = None,
    ) -> Shown:
        """Show `candidates` in this order, through another `pipeline` where one is given. `key` names it."""
        key = f"{question.person} {key}"
        said = self._known.get(key)
        if said is None:
            said = await _ask(pipeline or self.pipeline, question, candidates, order, self._seconds)
            if self._log is not None and said.answer is not None:
                await self._log.append({"key": key, "said": asdict(said)})
        self.done += 1
        self._progress(self.done)
        return said


async def _ask(
    pipeline: Pipeline,
    question: Question,
    candidates: Sequence[Candidate],
    order: Sequence[int],
    seconds: float,
) -> Shown:
    given = tuple(replace(candidates[place], rank=rank) for rank, place in enumerate(order))
    request = Request(
        question.person,
        platform=question.platform,
        k=len(given),
        depth=len(given),
        as_of=question.as_of,
        deadline=Deadline.after(seconds),
        mode="rank",
        history=question.history,
        candidates=given,
    )
    answer = await pipeline.recommend(request)
    cause = answer.provenance.cause and str(answer.provenance.cause)
    if answer.ranking is None or not _answered(answer.ranking):
        return Shown(question.person, tuple(order), None, cause)
    said = tuple(order[position] for position in answer.ranking.order)
    return Shown(question.person, tuple(order), said, cause)


def _shown(row: dict[str, Any]) -> Shown:
    return Shown(row["person"], tuple(row["shown"]), tuple(row["answer"]), row["cause"])


def _answered(ranking: Ranking) -> bool:
    return any(place == "model" for place in ranking.places)
