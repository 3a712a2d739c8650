"""How a model's reasons fare under the check: written, supported, withheld by code, on people of a build."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evals.lines import Lines
from rerank.pipeline import Pipeline
from rerank.types import Deadline, Recommendation, Request

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shares:
    """Sums over people. `places` reasons could have been written; shares are of those."""

    people: int
    places: int
    written: int
    supported: int
    withheld: Mapping[str, int]
    causes: Mapping[str, int]
    """People whose answer named this cause, 'none' included."""
    seconds: float
    """Median per person."""


def people_of(build: Path) -> list[str]:
    """Ids of the persons of a data build."""
    import pyarrow.parquet as pq

    column = pq.read_table(build / "people.parquet", columns=["person"])["person"]
    return sorted(set(column.to_pylist()))


def draw(people: Sequence[str], count: int, seed: int = 0) -> list[str]:
    """`count` of the people, or all, in a drawn order: the first n of it are a sample too."""
    return random.Random(seed).sample(sorted(people), min(count, len(people)))


async def try_reasons(
    pipeline: Pipeline,
    people: Iterable[str],
    rows: Lines,
    *,
    k: int = 5,
    seconds: float = 900.0,
    language: Literal["en", "zh"] = "en",
    progress: Callable[[int, Row], None] = lambda done, row: None,
) -> list[Row]:
    """One answer in mode 'explain' for each person who has no row yet; every row goes to the disk at once.

    The pipeline's configuration says how it ranks; keep-order spends the model on reasons alone. A person who
    ran into the deadline of `seconds` gets a row that says so.
    """
    found: list[Row] = list(rows.rows())
    known = {row["person"] for row in found}
    for person in people:
        if person in known:
            continue
        request = Request(person, k=k, language=language, deadline=Deadline.after(seconds))
        row = _row(await pipeline.recommend(request))
        await rows.append(dict(row))
        found.append(row)
        progress(len(found), row)
    return found


def shares(rows: Sequence[Row]) -> Shares:
    withheld: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    written = supported = places = 0
    for row in rows:
        counts = row["reasons"]
        places += row["places"]
        written += counts["written"]
        supported += counts["checked"]
        causes[row["cause"] or "none"] += 1
        for name, count in counts.items():
            if name.startswith("withheld:"):
                withheld[name.removeprefix("withheld:")] += count
    times = sorted(row["seconds"] for row in rows)
    median = times[len(times) // 2] if times else 0.0
    return Shares(len(rows), places, written, supported, dict(withheld.most_common()), dict(causes), median)


def _row(answer: Recommendation) -> Row:
    how = answer.provenance
    return {
        "person": answer.request.person,
        "model": how.model,
        "prompt": answer.request.prompt,
        "places": len(answer.items),
        "reasons": dict(how.reasons),
        "cause": how.reasons_cause and str(how.reasons_cause),
        "usage": [how.usage.prompt, how.usage.completion],
        "seconds": round(how.milliseconds.get("reasons", 0.0) / 1000, 2),
        "shown": [item.reason.text for item in answer.items if item.reason],
        "replies": [call.reply for call in answer.calls if call.task == "reasons"],
        "messages": [
            [[message.role, message.content] for message in call.messages]
            for call in answer.calls
            if call.task == "reasons"
        ],
    }
