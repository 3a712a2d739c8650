"""`whyrec fit rank`: how much the model's order may count, by what validation data say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from api.cli.options import Config, Json

if TYPE_CHECKING:
    from api.settings import Settings
    from evals.fit.orders import Order
    from rerank.weights import RankFit


@dataclass(frozen=True, slots=True)
class Found:
    """A fit, what it rests on, and where it was written."""

    fit: RankFit
    orders: tuple[Order, ...]
    quality: dict[float, float]
    failed: int
    recorded: str
    written: str


def rank(
    people: Annotated[int, typer.Option(min=1, help="At most so many, by a seeded draw.")] = 500,
    prompt: Annotated[str | None, typer.Option(help="Instead of the configured one.")] = None,
    language: Annotated[Literal["en", "zh"], typer.Option(help="Of prompt and summary.")] = "en",
    depth: Annotated[
        int | None,
        typer.Option(min=2, help="Candidates that the model orders, instead of the configured number."),
    ] = None,
    least: Annotated[int, typer.Option(min=5, help="People that a segment needs for its own weight.")] = 100,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="People asked about at a time.")] = 4,
    deadline: Annotated[float, typer.Option(min=0.1, help="Seconds for one person's order.")] = 60.0,
    seed: Annotated[int, typer.Option(help="Of the draw, the ties and the folds.")] = 0,
    json: Json = False,
    config: Config = None,
) -> None:
    """Fit the weight of the model's order by platform and history length.

    Asks the configured model to order the candidates of people whose next choice is known, then tries every
    weight on the recorded orders. A segment gets a weight above 0 only where the gain over the recall order
    has an interval above 0, on people whom the weight was not chosen on. Stop it at any time: it goes on
    where it was.

    Example: whyrec fit rank --people 300
    """
    import asyncio

    from api.cli.output import print_json
    from api.settings import load_settings

    settings = load_settings(config)
    chosen = settings.rank.model_copy(update={"depth": depth or settings.rank.depth})
    settings = settings.model_copy(update={"rank": chosen})
    found = asyncio.run(_fit(settings, people, prompt, language, least, concurrency, deadline, seed))
    if json:
        print_json({**found.fit.model_dump(), "failed": found.failed, "quality": found.quality})
    else:
        _show(found)


async def _fit(
    settings: Settings,
    people: int,
    prompt_name: str | None,
    language: Literal["en", "zh"],
    least: int,
    concurrency: int,
    deadline: float,
    seed: int,
) -> Found:
    import asyncio

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from api.cli.output import console
    from api.opening import open_pipeline
    from evals.erase import FITS
    from evals.fit.orders import OrderLog, record
    from evals.fit.rank import fit_weights, identity, mean_quality
    from evals.fit.validation import questions
    from prompts import load
    from recall.artefact import read_manifest
    from recall.errors import NotFound
    from recall.weights import Weights
    from recall.workspace import Workspace
    from rerank.methods import METHODS
    from rerank.types import Deadline
    from rerank.weights import RankWeights

    workspace = Workspace(settings.workspace)
    async with open_pipeline(settings) as (pipeline, _):
        if pipeline.model is None:
            raise NotFound(f"no language model to fit a weight for: {pipeline.no_model or 'engine is none'}")
        method = METHODS[settings.rank.method]
        if not method.prompt:
            raise NotFound(f"[rank] method {method.name!r} asks no model, so it has no weight to fit")
        prompt = load(prompt_name or settings.rank.prompt or method.prompt, language=language)
        pipeline = pipeline.variant(rank=settings.rank.model_copy(update={"prompt": prompt.id}))
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console(stderr=True), transient=True) as bar:
            task = bar.add_task("training without what is asked for", total=None)
            build = workspace.builds.folder / read_manifest(workspace.models.current()).build
            asked = await asyncio.to_thread(
                questions,
                build,
                pipeline.library,
                settings.train,
                settings.recall,
                Weights.load(workspace.weights),
                people=people,
                n=max(settings.rank.depth, 10),
                seed=seed,
            )
            model = (await pipeline.model.capabilities(Deadline.after(deadline))).model  # type: ignore[union-attr]
            what = identity(
                pipeline, prompt, asked, model=model, build=build.name, language=language, seed=seed
            )
            log = OrderLog(workspace.folder / FITS, what)
            try:
                bar.update(task, description="asking the model", total=len(asked), completed=0)
                failed = await record(
                    pipeline,
                    asked,
                    log,
                    language=language,
                    concurrency=concurrency,
                    seconds=deadline,
                    progress=lambda done, all: bar.update(task, completed=done),
                )
            finally:
                log.close()
        orders = tuple(log.orders[one.person] for one in asked if one.person in log.orders)
        fit = fit_weights(orders, what, prompt=prompt, cap=settings.rank.cap, least=least, seed=seed)
        path = RankWeights.load(workspace.weights).with_fit(fit).save(workspace.weights)
    return Found(fit, orders, mean_quality(orders, settings.rank.cap), failed, str(log.path), str(path))


def _show(found: Found) -> None:
    from rich.table import Table

    from api.cli.output import console, plain

    fit, screen = found.fit, console()
    asked = sum(bool(order.calls) for order in found.orders)
    damaged = sum(order.cause is not None for order in found.orders)
    screen.print(
        plain(
            f"{fit.model}, {fit.method}, {fit.prompt}: {fit.people:,} people, {asked:,} of them asked about "
            f"(the others' next choice is not among the first {fit.depth} candidates), {damaged} replies of "
            f"which nothing or not all could be used, {found.failed} failed calls"
        )
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("segment", "people", "best weight", f"its gain in {fit.metric}", "interval", "weight"):
        table.add_column(column)
    for name, one in fit.segments.items():
        interval = f"{one.gain.low:+.4f} to {one.gain.high:+.4f}"
        row = (f"{one.people:,}", f"{one.best:g}", f"{one.gain.mean:+.4f}", interval, f"{one.weight:g}")
        table.add_row(plain(name), *row)
    screen.print(table)
    if not fit.segments:
        screen.print("no segment has enough people: no weight was fitted; ask more, or lower --least")
    means = ", ".join(f"{weight:g}: {mean:.4f}" for weight, mean in found.quality.items())
    screen.print(plain(f"{fit.metric} of everybody by weight: {means}"), style="dim")
    screen.print(plain(f"written to {found.written}; the orders are kept in {found.recorded}"), style="dim")
