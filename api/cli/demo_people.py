"""The people that the demo shows, and what it recommends to them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.settings import Settings
    from recall.types import History

SECONDS = 15.0
"""Deadline of one recommendation: enough for the bundled model on two idle cores."""

SIZES = range(20, 61)
"""Events of a person whose history is worth reading."""


def choose(build: Path, count: int) -> list[str]:
    """Person ids of `count` people on as many platforms as anybody is, with histories of a readable size."""
    import pyarrow.parquet as pq

    rows = pq.read_table(build / "people.parquet", columns=["person", "platforms", "events"]).to_pylist()

    def worth(row: dict[str, object]) -> tuple[int, bool, str]:
        platforms, events = row["platforms"], row["events"]
        assert isinstance(platforms, list) and isinstance(events, int)
        return -len(platforms), events not in SIZES, str(row["person"])

    return [row["person"] for row in sorted(rows, key=worth)[:count]]


async def recommend_to(settings: Settings, people: int, k: int) -> str | None:
    """Recommend to each and print it; returns an account of the last one as PLATFORM:USER."""
    from rich.text import Text

    from api.cli.output import console
    from api.cli.table import show
    from api.opening import open_pipeline
    from recall.workspace import Workspace
    from rerank.types import Deadline, Request

    out, wait = console(), console(stderr=True)
    build = Workspace(settings.workspace).builds.current()
    chosen = choose(build, people)
    async with open_pipeline(settings) as (pipeline, _):
        for person in chosen:
            with wait.status("recalling, ranking, writing reasons"):
                found = await pipeline.recommend(
                    Request(person=person, k=k, deadline=Deadline.after(SECONDS))
                )
            out.print(Text(f"── for {person}: {_known(found.history)}", style="bold"))
            show(out, found)
            out.print()
    return account(build, chosen[-1]) if chosen else None


def account(build: Path, person: str) -> str | None:
    """One of the person's accounts, as `whyrec recommend` takes it."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    links = pq.read_table(build / "links.parquet", columns=["kind", "platform", "key", "target"])
    mine = links.filter((pc.field("kind") == "person") & (pc.field("target") == person)).to_pylist()
    return f"{mine[0]['platform']}:{mine[0]['key']}" if mine else None


def _known(history: History) -> str:
    from api.cli.table import day

    if not history.events:
        return "no events"
    platforms = Counter(event.platform for event in history.events)
    counts = ", ".join(f"{count} on {name}" for name, count in platforms.most_common())
    newest, oldest = history.events[0].time, history.events[-1].time
    return f"{len(history.events)} events ({counts}), {day(oldest)} to {day(newest)}"
