"""What fusing is worth: one platform alone, with others, all; without links, with wrong ones, without masks.

The same people and the same held-out likes on one platform throughout; every state of the data is cut and
trained by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evals.cases import Pool
from evals.comparison import METRIC, K
from evals.config import CasesConfig, EvalConfig
from evals.intervals import Interval, bootstrap
from evals.paired import Paired, compare
from evals.pool import make_pool
from evals.results import Results
from evals.run import Ended, open_world, run
from evals.world import EvalSettings, Links, hold, prepare, source_build
from recall.build_table import read_table
from recall.dataset import Dataset
from recall.errors import DataError
from recall.ids import item_id
from recall.types import LIKE
from recall.workspace import Workspace
from rerank.types import ChatModel

DAMAGE = (0.05, 0.1, 0.2, 0.5)
DEEP = 100
"""Places of recall's own list that are looked through."""

Listing = tuple[str, str]


@dataclass(frozen=True, slots=True)
class State:
    """One state of the data."""

    name: str
    links: Links
    masks: bool = True


@dataclass(frozen=True, slots=True)
class StateRow:
    """What one state reaches. Recall is judged on its list of the whole catalogue, arms on frozen lists."""

    state: str
    people: int
    ndcg: Interval
    """Of recall's order, at 10."""
    hit_rate: Interval
    """Of recall's order, at 100."""
    difference: Paired | None
    """NDCG@10 minus the platform's alone; None for itself."""
    arms: Mapping[str, Interval]
    """NDCG@10 of each declared arm over all cases."""


@dataclass(frozen=True, slots=True)
class Study:
    platform: str
    build: str
    split: str
    seed: int
    rows: tuple[StateRow, ...]


async def study(
    settings: EvalSettings,
    config: EvalConfig,
    platform: str,
    *,
    models: Mapping[str, ChatModel] | None = None,
    step: Callable[[str], None] = lambda text: None,
) -> Study:
    """Every state in turn. `config` says split, people and, if any, the arms that rank in every state.

    People take part who have an earlier event on the platform, so that each state can answer them. DataError
    when there are none, or only one platform.
    """
    build = source_build(Workspace(settings.workspace))
    dataset = Dataset.load(build)
    if platform not in dataset.platforms or len(dataset.platforms) < 2:
        raise DataError(f"build {dataset.build}: a study needs {platform!r} and another platform beside it")
    people = _people(dataset, config, platform)
    rows: list[StateRow] = []
    base: dict[str, float] = {}
    for state in states(build, dataset, platform, seed=config.seed):
        step(f"{len(rows) + 1}: {state.name}")
        cases = config.cases.model_copy(update={"platforms": (platform,), "masks": state.masks})
        pool = await _pool(settings, config, cases, state, people, step)
        places = {case.person: case.alone.get("recall") for case in pool.cases}
        gains = {
            who: 0.0 if at is None or at >= K else float(1 / np.log2(at + 2)) for who, at in places.items()
        }
        base = base or gains
        both = sorted(gains.keys() & base.keys())
        mine, theirs = (np.array([found[who] for who in both]) for found in (gains, base))
        arms = await _arms(settings, config, cases, state, pool, models, step) if config.arms else {}
        rows.append(
            StateRow(
                state=state.name,
                people=len(gains),
                ndcg=bootstrap(np.array(list(gains.values())), seed=config.seed),
                hit_rate=bootstrap(
                    np.array([float(at is not None and at < DEEP) for at in places.values()]),
                    seed=config.seed,
                ),
                difference=compare(theirs, mine, seed=config.seed) if rows else None,
                arms=arms,
            )
        )
    return Study(platform, dataset.build, config.cases.split, config.seed, tuple(rows))


def states(build: Path, dataset: Dataset, platform: str, *, seed: int) -> Iterator[State]:
    """The platform alone first: what the others are compared with."""
    others = [name for name in dataset.platforms if name != platform]
    yield State(f"{platform} alone", Links(platforms=frozenset({platform})))
    if len(others) > 1:
        for name in others:
            yield State(f"{platform} + {name}", Links(platforms=frozenset({platform, name})))
    yield State("all", Links())
    yield State("all, masks off", Links(), masks=False)
    known = linked_listings(build)
    yield State("all, items unlinked", Links(items={key: item_id(*key) for key in known}))
    for share in DAMAGE:
        yield State(f"all, {share:.0%} of links wrong", Links(items=damaged(known, share, seed=seed)))


def linked_listings(build: Path) -> dict[Listing, str]:
    """(platform, listing) → item, for listings and for what only events name."""
    found: dict[Listing, str] = {}
    for table in ("events", "listings"):
        rows = read_table(build, table, ["platform", "listing", "item"])
        columns = (rows[name].to_pylist() for name in ("platform", "listing", "item"))
        found |= {(platform, listing): item for platform, listing, item in zip(*columns, strict=True)}
    return found


def damaged(known: Mapping[Listing, str], share: float, *, seed: int) -> dict[Listing, str]:
    """Listings of items that several platforms list, this share of them with one another's items.

    Only the changed listings are given. On each platform the drawn ones hand their items round in a circle,
    so every one of them gets a wrong item; one alone is left as it is.
    """
    where: dict[str, set[str]] = {}
    for (platform, _), item in known.items():
        where.setdefault(item, set()).add(platform)
    several = sorted(key for key, item in known.items() if len(where[item]) > 1)
    rng = np.random.default_rng(seed)
    drawn = [several[at] for at in rng.permutation(len(several))[: round(share * len(several))]]
    changed: dict[Listing, str] = {}
    for platform in sorted({name for name, _ in drawn}):
        mine = [key for key in drawn if key[0] == platform]
        changed |= {key: known[other] for key, other in zip(mine, mine[1:] + mine[:1], strict=True)}
    return {key: item for key, item in changed.items() if item != known[key]}


def _people(dataset: Dataset, config: EvalConfig, platform: str) -> frozenset[str]:
    """A seeded draw of people with a held-out like on the platform and an earlier liked event there."""
    held, _ = hold(dataset, config.cases)
    code = dataset.platforms.index(platform)
    earlier = held.keep & (dataset.event_platform == code) & (dataset.event_polarity == LIKE)
    known = np.unique(dataset.event_person[earlier])
    asked = held.persons[dataset.event_platform[held.events] == code]
    asked = asked[np.isin(asked, known)]
    if not len(asked):
        raise DataError(
            f"build {dataset.build}: nobody has a held-out like on {platform!r} and an earlier one"
        )
    rng = np.random.default_rng(config.cases.seed)
    drawn = rng.choice(asked, min(config.cases.people, len(asked)), replace=False)
    return frozenset(dataset.persons.names(np.sort(drawn)))


async def _pool(
    settings: EvalSettings,
    config: EvalConfig,
    cases: CasesConfig,
    state: State,
    people: frozenset[str],
    step: Callable[[str], None],
) -> Pool:
    world = await asyncio.to_thread(prepare, settings, cases, links=state.links, progress=step)
    targets: dict[int, str] = {}
    if state.links.items is not None:
        build = source_build(Workspace(settings.workspace))
        rows = read_table(build, "events", ["platform", "listing", "item"])
        for event in world.held.events.tolist():
            row = rows.slice(event, 1).to_pylist()[0]
            targets[event] = state.links.items.get((row["platform"], row["listing"]), row["item"])
    async with open_world(settings, config, world) as ready:
        stock = ready.base.stock()
        return await asyncio.to_thread(make_pool, world, stock, cases, targets=targets, people=people)


async def _arms(
    settings: EvalSettings,
    config: EvalConfig,
    cases: CasesConfig,
    state: State,
    pool: Pool,
    models: Mapping[str, ChatModel] | None,
    step: Callable[[str], None],
) -> dict[str, Interval]:
    """NDCG@10 over all cases of every arm, asked in this state; a run of its own, which can be resumed."""
    slug = "".join(char if char.isalnum() else "-" for char in state.name.lower())
    mine = config.model_copy(update={"name": f"{config.name}-{slug}"[:60].rstrip("-"), "cases": cases})
    ended: Ended = await run(settings, mine, links=state.links, pool=pool, models=models, step=step)
    found = {}
    for name, arm in Results.load(ended.folder).arms.items():
        values = arm.everywhere(METRIC, K)
        found[name] = bootstrap(values[np.isfinite(values)], seed=config.seed)
    return found
