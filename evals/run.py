"""A run: every case put to every arm, recorded row by row, to be cut off and resumed at any moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.arms import Arm, arms
from evals.ask import FAILED, ask
from evals.cases import Case, Pool
from evals.config import EvalConfig
from evals.header import header
from evals.lines import Lines
from evals.pool import make_pool
from evals.recorder import Calls, Job, RecordedModel
from evals.rename import renamed, renamed_stock
from evals.spending import Spending
from evals.world import FOLDER, EvalSettings, Links, World, prepare
from recall.consent import Consent, ConsentConfig, Statement
from recall.errors import ConfigError
from recall.library import BuildLibrary
from recall.recall_config import RecallConfig
from rerank.assembly import assemble
from rerank.config import RankConfig, ReasonsConfig
from rerank.knowledge.config import KnowledgeConfig
from rerank.knowledge.types import Knowledge
from rerank.llm import LLMConfig, make_model
from rerank.llm.prices import load_prices
from rerank.pipeline import Pipeline
from rerank.types import ChatModel

POOL, RESULTS, CALLS = "pool.jsonl", "results.jsonl", "calls.jsonl"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands. `cost` is None where a model has no price; `left` None until something is known."""

    done: int
    total: int
    calls: int
    tokens: int
    cost: float | None
    left: float | None
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Ended:
    """`stopped` says why rows are missing; None when the run is whole."""

    folder: Path
    rows: int
    asked: int
    """Calls that models answered in this process."""
    failed: int
    cost: float | None
    stopped: str | None


@dataclass(frozen=True)
class _Sections:
    """The settings of a pipeline in the world's own workspace."""

    workspace: Path
    consent: ConsentConfig
    recall: RecallConfig
    llm: LLMConfig
    rank: RankConfig
    reasons: ReasonsConfig
    knowledge: KnowledgeConfig
    platforms: Mapping[str, Any]


def runs_folder(workspace: Path) -> Path:
    return workspace / FOLDER / "runs"


async def run(
    settings: EvalSettings,
    config: EvalConfig,
    *,
    budget: float | None = None,
    links: Links | None = None,
    statements: Sequence[Statement] = (),
    pool: Pool | None = None,
    models: Mapping[str, ChatModel] | None = None,
    knowledge: Knowledge | None = None,
    step: Callable[[str], None] = lambda text: None,
    progress: Callable[[Progress], None] = lambda state: None,
) -> Ended:
    """Run or go on with a run; its folder is runs/NAME under the workspace's evals.

    `budget` is the most money that the run may cost in all, earlier parts included. `statements` are
    people's consents beside [consent]; `models` replaces the configured ones by name; `knowledge` holds the
    facts that arms may show (profiles are read anew, from what was not held out). ConfigError when the
    folder holds another configuration's run; LeakError when something held out reaches a prompt.
    """
    compared = arms(config, settings.rank, settings.reasons, settings.knowledge)
    folder = runs_folder(settings.workspace) / config.name
    results = Lines(folder / RESULTS)
    try:
        earlier = results.rows()
        if earlier and earlier[0].get("config_hash") != config.hash:
            raise ConfigError(
                f"{folder}: holds a run of another configuration; choose another name, or use --fresh"
            )
        # World, artefact and pool come first, in a thread: they are CPU work.
        world = await asyncio.to_thread(prepare, settings, config.cases, links=links, progress=step)
        async with _pipelines(
            settings, config, world.workspace.folder, models or {}, compared, statements
        ) as ready:
            frozen = pool
            if (folder / POOL).exists():
                frozen = Pool.load(folder / POOL)
            elif frozen is None:
                stock = ready.base.stock()
                frozen = await asyncio.to_thread(make_pool, world, stock, config.cases, progress=step)
            frozen.save(folder / POOL)
            if earlier and earlier[0]["pool"] != frozen.hash:
                raise ConfigError(
                    f"{folder}: its rows stand on another pool of cases; start over with --fresh"
                )
            file = Lines(folder / CALLS)
            try:
                calls, spending = Calls(file), Spending(load_prices(_prices(settings, config)), budget)
                if not earlier:
                    await results.append(await header(config, frozen, ready.models, compared))
                if knowledge is not None:
                    ready = Ready(ready.base.variant(knowledge=knowledge), ready.models)
                runner = _Runner(config, compared, frozen, ready, results, calls, spending)
                return await runner(earlier[1:], folder, progress)
            finally:
                file.close()
    finally:
        results.close()


@asynccontextmanager
async def open_world(
    settings: EvalSettings, config: EvalConfig, world: World, statements: Sequence[Statement] = ()
) -> AsyncIterator[Ready]:
    """The pipeline over a world, without models."""
    async with _pipelines(settings, config, world.workspace.folder, {}, (), statements) as ready:
        yield ready


@dataclass(frozen=True)
class Ready:
    """Pipelines over the frozen world: `base` has no model; `models` are the arms' by name, not recorded."""

    base: Pipeline
    models: Mapping[str, ChatModel]


@asynccontextmanager
async def _pipelines(
    settings: EvalSettings,
    config: EvalConfig,
    workspace: Path,
    models: Mapping[str, ChatModel],
    compared: Sequence[Arm],
    statements: Sequence[Statement],
) -> AsyncIterator[Ready]:
    sections = _Sections(
        workspace,
        settings.consent,
        settings.recall,
        LLMConfig(engine="none"),
        settings.rank,
        settings.reasons,
        settings.knowledge,
        settings.platforms,
    )
    asked = {arm.config.model for arm in compared if arm.config is not None and arm.asks}
    async with AsyncExitStack() as stack:
        base = await stack.enter_async_context(assemble(sections))
        library = base.stock().library
        if isinstance(library, BuildLibrary):
            mine = library.links
            library.obey(Consent(settings.consent, mine.platforms, statements, mine.person_id))
        made: dict[str, ChatModel] = {}
        for name in sorted(asked):
            model = models.get(name)
            if model is None:
                model = make_model(settings.llm if name == "default" else config.models[name])
                if model is None:
                    raise ConfigError(
                        f"model {name!r}: [llm] engine is 'none', and an arm asks it; configure one"
                    )
                stack.push_async_callback(model.aclose)
            made[name] = model
        yield Ready(base, made)


class _Runner:
    def __init__(
        self,
        config: EvalConfig,
        compared: Sequence[Arm],
        pool: Pool,
        ready: Ready,
        results: Lines,
        calls: Calls,
        spending: Spending,
    ) -> None:
        self.config, self.arms, self.pool, self.results = config, compared, pool, results
        self.calls, self.spending = calls, spending
        real = {id: one.item for id, one in pool.items.items()}
        self.items = {False: real, True: {id: renamed(item) for id, item in real.items()}}
        self.pipelines = {arm.name: _pipeline(arm, ready, calls) for arm in compared}

    async def __call__(
        self, rows: Sequence[Mapping[str, Any]], folder: Path, progress: Callable[[Progress], None]
    ) -> Ended:
        done = {(row["arm"], row["repeat"], row["person"]) for row in rows}
        failed = sum(row["status"] == FAILED for row in rows)
        todo = [job for job in self._jobs() if (job[0].name, job[1], job[2].person) not in done]
        total, finished = len(done) + len(todo), len(done)
        models = [job for job in todo if not job[0].fixed]
        began, waiting, answered = time.monotonic(), iter(todo), 0
        stopped: str | None = None

        async def work() -> None:
            nonlocal finished, failed, answered, stopped
            for arm, repeat, case in waiting:
                if not arm.fixed:
                    stopped = stopped or self.spending.refuse(self.calls.usage())
                    if stopped:
                        return
                with self.spending.under_way(arm.fixed):
                    job = Job(case, arm.name, repeat, self.items[bool(arm.config and arm.config.rename)])
                    row = await ask(self.pipelines[arm.name], arm, job, seed=self.config.seed)
                await self.results.append(row)
                finished += 1
                answered += not arm.fixed
                failed += row["status"] == FAILED
                left = (time.monotonic() - began) / answered * (len(models) - answered) if answered else None
                progress(self._state(finished, total, left))

        progress(self._state(finished, total, None))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.config.concurrency):
                    group.create_task(work())
        except ExceptionGroup as several:
            raise several.exceptions[0] from None
        cost = self.spending.cost(self.calls.usage())
        return Ended(folder, finished, self.calls.made, failed, cost, stopped)

    def _jobs(self) -> Iterator[tuple[Arm, int, Case]]:
        """Fixed rows first; then case by case, so that a run cut short has the same people in every arm."""
        for arm in self.arms:
            if arm.fixed:
                yield from ((arm, 0, case) for case in self.pool.cases)
        for case in self.pool.cases:
            if case.slot is None and self.config.cases.ask == "covered":
                continue
            for arm in self.arms:
                if not arm.fixed:
                    yield from ((arm, repeat, case) for repeat in range(arm.repeats))

    def _state(self, done: int, total: int, left: float | None) -> Progress:
        usage = self.calls.usage()
        tokens = sum(one.prompt + one.completion for one in usage.values())
        return Progress(done, total, len(self.calls.known), tokens, self.spending.cost(usage), left)


def _prices(settings: EvalSettings, config: EvalConfig) -> Path | None:
    """The evaluation's price file, or that of [budget]."""
    if config.prices is not None:
        return config.prices
    found: Path | None = getattr(getattr(settings, "budget", None), "prices", None)
    return found


def _pipeline(arm: Arm, ready: Ready, calls: Calls) -> Pipeline:
    if arm.config is None:
        return ready.base.variant(rank=arm.rank, reasons=arm.reasons)
    model = ready.models.get(arm.config.model)
    recorded = RecordedModel(model, calls) if model is not None else None
    made = ready.base.variant(rank=arm.rank, reasons=arm.reasons, model=recorded, uses=arm.knowledge)
    if arm.config.rename:
        stock = renamed_stock(ready.base.stock())
        made.stock = lambda: stock
    return made
