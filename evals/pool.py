"""From a world to frozen cases: people are drawn, histories read, candidates recalled, leaks looked for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from evals.cases import Case, Pool, PoolItem
from evals.config import CasesConfig
from evals.leaks import check_world, title_shows
from evals.strata import draw, length
from evals.world import World
from recall.artefact import Artefact
from recall.errors import DataError
from recall.protocols import Stock
from recall.recallers import Recaller
from recall.recallers.als import Als
from recall.recallers.popular import Popular
from recall.recallers.query import ANY, RowQuery
from recall.recallers.tuning import Tuning
from recall.types import DISLIKE, LIKE, Candidate, Filters, History, Query

ALONE = 100
"""Places of the catalogue in which a source alone is looked through for the target."""


def make_pool(
    world: World,
    stock: Stock,
    config: CasesConfig,
    *,
    targets: Mapping[int, str] | None = None,
    people: frozenset[str] | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> Pool:
    """The cases of a world, leaks checked. `stock` is the world's own library and recall.

    `targets` (held-out event → item id) says what targets are called in a world with other links; `people`
    takes these instead of drawing. DataError when nobody is left.
    """
    source, held = world.source, world.held
    artefact = world.artefact
    progress("drawing people")
    asked = _drawn(world, config, people)
    wishes = _wishes(config.wishes)
    scorers = _Alone(artefact)
    counts: Counter[str] = Counter()
    cases: list[Case] = []
    progress("recalling candidates")
    for at in asked:
        event = int(held.events[at])
        person = source.persons.names(held.persons[at : at + 1])[0]
        target = source.items.names(source.event_item[event : event + 1])[0]
        if targets is not None:
            target = targets.get(event, target)
        platform = source.platforms[int(source.event_platform[event])]
        as_of = world.moment if world.moment is not None else int(source.event_time[event])
        history = stock.library.history(person, platform=platform)
        if not history.events:
            counts["nothing that may serve"] += 1
            continue
        if target in history.items:
            counts["had before under another link"] += 1
            continue
        case = _case(person, platform, target, as_of, history, stock, scorers, config, wishes.get(person))
        known = dict(zip(case_items(case), stock.library.items(case_items(case)), strict=True))
        if title_shows(case, known):
            counts["title shows elsewhere"] += 1
            continue
        cases.append(case)
    if not cases:
        raise DataError(f"no case is left of {len(asked)} people ({dict(counts)}): choose another split")
    check_world(world, cases)
    wanted = sorted({item for case in cases for item in case_items(case)})
    liked = scorers.people(wanted)
    items = [PoolItem(item, liked[number]) for number, item in enumerate(stock.library.items(wanted))]
    header: dict[str, Any] = {
        "build": source.build,
        "cut_build": artefact.manifest.build,
        "artefact": artefact.name,
        "split": config.split,
        "moment": world.moment,
        "target": config.target,
        "seed": config.seed,
        "drawn": len(asked),
        "eligible": len(held.persons),
        "set_aside": dict(counts),
        "catalogue": int(artefact.listed.any(axis=0).sum()),
        "people": artefact.manifest.figures.get("people"),
    }
    return Pool.of(header, cases, items)


def case_items(case: Case) -> list[str]:
    """Every item that the case names, each once."""
    named = [one.item for one in case.candidates] + [event.item for event in case.history] + [case.target]
    return list(dict.fromkeys(named))


def _drawn(world: World, config: CasesConfig, people: frozenset[str] | None) -> np.ndarray:
    """Positions among the held-out persons."""
    source, held = world.source, world.held
    if people is not None:
        names = source.persons.names(held.persons)
        return np.array([at for at, name in enumerate(names) if name in people], np.int64)
    allowed = np.arange(len(held.persons))
    if config.platforms:
        codes = [source.platforms.index(name) for name in config.platforms if name in source.platforms]
        allowed = allowed[np.isin(source.event_platform[held.events], codes)]
    kept = held.keep & (source.event_polarity == LIKE)
    liked = np.bincount(source.event_person[kept], minlength=len(source.persons))
    wide = len(source.platforms)
    used = np.unique(source.event_person[held.keep] * wide + source.event_platform[held.keep]) // wide
    platforms = np.bincount(used, minlength=len(source.persons))
    strata = [
        (length(int(liked[person])), str(min(int(platforms[person]), 3))) for person in held.persons[allowed]
    ]
    return allowed[draw(strata, config.people, seed=config.seed)]


def _case(
    person: str,
    platform: str,
    target: str,
    as_of: int,
    history: History,
    stock: Stock,
    scorers: _Alone,
    config: CasesConfig,
    wish: str | None,
) -> Case:
    had = stock.library.had(person, platform=platform)
    filters = Filters()
    if not config.masks:
        own = frozenset(event.item for event in history.events if event.platform == platform)
        had, filters = frozenset(), Filters(repeats=True, exclude=own)
    query = Query(history, platform, as_of, max(config.candidates, ALONE), filters, had)
    found = stock.recall.candidates(query).candidates
    pool = found[: config.candidates]
    plain, popularity, alone = scorers(
        history, platform, as_of, [one.item for one in pool], target, had, filters
    )
    alone["recall"] = next((at for at, one in enumerate(found[:ALONE]) if one.item == target), None)
    platforms = {event.platform for event in history.events}
    liked = len({event.item for event in history.events if event.polarity == LIKE})
    return Case(
        person=person,
        platform=platform,
        target=target,
        as_of=as_of,
        history=tuple(history.events),
        candidates=tuple(Candidate(c.item, c.rank, round(c.score, 6), _rounded(c.sources)) for c in pool),
        plain=plain,
        popularity=popularity,
        segments={
            "history": length(liked),
            "platforms": "3+" if len(platforms) > 2 else str(len(platforms)),
            "new": "known here" if platform in platforms else "new here",
        },
        alone=alone,
        wish=wish,
    )


def _rounded(sources: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{score:.6g}") for name, score in sources.items()}


class _Alone:
    """Plain ALS and popularity by themselves, on the world's artefact."""

    def __init__(self, artefact: Artefact) -> None:
        self._items, self._listed = artefact.items, artefact.listed
        self._platforms = {name: row for row, name in enumerate(artefact.platforms)}
        self._people = artefact.arrays["popular"]["people"][-1]
        self._sources: dict[str, Recaller] = {
            "als": Als(artefact.arrays["als"], Tuning(recency=0)),
            "popular": Popular(artefact.arrays["popular"], Tuning()),
        }

    def people(self, items: list[str]) -> list[int]:
        """How many people liked each item."""
        rows = self._items.rows(items)
        return [int(self._people[row]) if row >= 0 else 0 for row in rows]

    def __call__(
        self,
        history: History,
        platform: str,
        as_of: int,
        pool: list[str],
        target: str,
        had: frozenset[str],
        filters: Filters,
    ) -> tuple[tuple[float, ...], tuple[float, ...], dict[str, int | None]]:
        """Each source's scores of the pool, ALS first, and the target's place in its own list."""
        events = [event for event in history.events if self._items.row(event.item) >= 0]
        row = self._platforms.get(platform, ANY)
        out = self._items.rows(sorted(had | history.items if not filters.repeats else filters.exclude))
        query = RowQuery(
            items=self._items.rows([event.item for event in events]),
            weights=np.array(
                [0 if e.polarity == DISLIKE else e.weight * e.confidence for e in events], np.float32
            ),
            polarity=np.array([event.polarity for event in events], np.int8),
            times=np.array([event.time for event in events], np.int64),
            platforms=np.array([self._platforms.get(event.platform, ANY) for event in events], np.int8),
            platform=row,
            as_of=as_of,
            exclude=np.unique(out[out >= 0]).astype(np.int32),
            allowed=self._listed[row] if row != ANY else None,
        )
        rows, wanted = self._items.rows(pool), self._items.row(target)
        scores, alone = [], {}
        for name, source in self._sources.items():
            scores.append(tuple(float(f"{score:.6g}") for score in source.at(query, rows)))
            where = np.flatnonzero(source.scores(query, ALONE)[0] == wanted)
            alone[name] = int(where[0]) if len(where) else None
        return scores[0], scores[1], alone


def _wishes(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        return {str(row["person"]): str(row["wish"]) for row in rows}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: wishes are JSON lines with person and wish ({error})") from error
