"""`whyrec probe`: what the model's order depends on that it should not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import Config, Json

if TYPE_CHECKING:
    from rich.table import Table

    from api.settings import Settings
    from evals.intervals import Interval
    from evals.probes.injection import InjectionGain
    from evals.probes.position import PositionBias

app = typer.Typer(
    no_args_is_help=True,
    help="What the model's order depends on that it should not: places in the list, words in titles.",
)

People = Annotated[int, typer.Option(min=2, help="At most so many, by a seeded draw.")]
Candidates = Annotated[int, typer.Option(min=4, max=100, help="Length of the lists.")]
Methods = Annotated[
    list[str] | None, typer.Option("--method", help="listwise, logits, pointwise; all of them.")
]
Seed = Annotated[int, typer.Option(help="Of the draw and the shuffles.")]
Seconds = Annotated[float, typer.Option(min=0.1, help="For one answer.")]


@app.command()
def position(
    people: People = 30,
    candidates: Candidates = 20,
    orders: Annotated[int, typer.Option(min=2, help="In which each list is shown.")] = 5,
    method: Methods = None,
    seed: Seed = 0,
    seconds: Seconds = 120.0,
    json: Json = False,
    config: Config = None,
) -> None:
    """How much the model's order follows the order in which it is shown the list.

    Shows each person's list in several orders, the next choice at evenly spread slots. Stopped, it goes on
    where it was.

    Example: whyrec probe position --people 20 --method logits
    """
    import asyncio

    from api.cli.output import print_json
    from api.settings import load_settings
    from evals.probes.position import probe_position

    found: list[PositionBias] = asyncio.run(
        _probe(
            load_settings(config),
            "position",
            lambda ask, asked: probe_position(ask, asked, n=candidates, orders=orders, seed=seed),
            method,
            people=people,
            n=candidates,
            each=orders,
            seed=seed,
            seconds=seconds,
        )
    )
    if json:
        print_json(found)
    else:
        _show_position(found)


@app.command()
def injection(
    people: People = 20,
    candidates: Candidates = 20,
    method: Methods = None,
    seed: Seed = 0,
    seconds: Seconds = 120.0,
    json: Json = False,
    config: Config = None,
) -> None:
    """How many places a title gains that speaks to the model, against the clean run.

    One candidate of the lower half of each person's list is attacked in every way in turn. Stopped, it goes
    on where it was.

    Example: whyrec probe injection --people 20 --method listwise
    """
    import asyncio

    from api.cli.output import print_json
    from api.settings import load_settings
    from evals.probes.attacks import ATTACKS
    from evals.probes.injection import probe_injection

    found: list[InjectionGain] = asyncio.run(
        _probe(
            load_settings(config),
            "injection",
            lambda ask, asked: probe_injection(ask, asked, n=candidates, seed=seed),
            method,
            people=people,
            n=candidates,
            each=1 + len(ATTACKS),
            seed=seed,
            seconds=seconds,
        )
    )
    if json:
        print_json(found)
    else:
        _show_injection(found)


async def _probe(
    settings: Settings,
    name: str,
    run: Any,
    methods: list[str] | None,
    *,
    people: int,
    n: int,
    each: int,
    seed: int,
    seconds: float,
) -> list[Any]:
    """One result for each method; answers are kept under the workspace's `probes`, by all they depend on."""
    import asyncio

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from api.cli.output import console
    from api.opening import open_pipeline
    from evals.fit.rank import identity
    from evals.fit.validation import questions
    from evals.lines import Lines
    from evals.probes.asking import Asker, answers_file
    from prompts import load
    from recall.artefact import read_manifest
    from recall.errors import NotFound
    from recall.weights import Weights
    from recall.workspace import Workspace
    from rerank.methods import METHODS
    from rerank.types import Deadline

    chosen = methods or [method.name for method in METHODS.values() if method.prompt]
    unknown = [name for name in chosen if name not in METHODS or not METHODS[name].prompt]
    if unknown:
        raise NotFound(f"no method {unknown[0]!r} that asks a model; have listwise, logits, pointwise")
    workspace, found = Workspace(settings.workspace), []
    async with open_pipeline(settings) as (pipeline, _):
        if pipeline.model is None:
            raise NotFound(f"no language model to probe: {pipeline.no_model or 'the engine is none'}")
        served = (await pipeline.model.capabilities(Deadline.after(seconds))).model
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console(stderr=True), transient=True) as bar:
            task = bar.add_task("training without what is asked for", total=None)
            build = workspace.builds.folder / read_manifest(workspace.models.current()).build
            weights = Weights.load(workspace.weights)
            asked = await asyncio.to_thread(
                questions, build, pipeline.library, settings.train, settings.recall, weights,
                people=people, n=n, seed=seed,
            )  # fmt: skip
            for method in chosen:
                rank = settings.rank.model_copy(update={"method": method, "prompt": None, "depth": n})
                probed = pipeline.variant(rank=rank)
                prompt = load(METHODS[method].prompt)
                what = identity(
                    probed, prompt, asked, model=served, build=build.name, language="en", seed=seed
                )
                log = Lines(answers_file(workspace.folder, name, what))
                bar.update(task, description=f"asking, {method}", total=each * len(asked), completed=0)
                try:
                    found.append(
                        await run(
                            Asker(
                                probed,
                                log,
                                seconds=seconds,
                                progress=lambda done: bar.update(task, completed=done),
                            ),
                            asked,
                        )
                    )
                finally:
                    log.close()
    return found


def _show_position(found: list[PositionBias]) -> None:
    from api.cli.output import console, plain

    screen = console()
    for one in found:
        screen.print(
            plain(
                f"{one.method}, {one.model}: {one.people} people, {one.candidates} candidates in "
                f"{one.orders} orders, {one.failed} failed answers"
            )
        )
        table = _table("what", "value", "95 %", "without bias", "by chance")
        table.add_row("tau between answers", *_interval(one.tau, ".3f"), "1", "0")
        table.add_row("overlap of answers", *_interval(one.overlap, ".3f"), "1", f"{one.chance:.3f}")
        table.add_row("tau with the order shown", *_interval(one.follows, ".3f"), "0", "0")
        for slot, gain in one.by_slot:
            half = (one.candidates - 1) / 2
            row = (f"places up from slot {slot + 1}", *_interval(gain, "+.2f"), "", f"{slot - half:+.1f}")
            table.add_row(*row)
        screen.print(table)


def _show_injection(found: list[InjectionGain]) -> None:
    from api.cli.output import console, plain

    screen = console()
    for one in found:
        screen.print(
            plain(
                f"{one.method}, {one.model}: {one.people} people, {one.candidates} candidates, "
                f"{one.failed} failed answers"
            )
        )
        table = _table("attack", "places up", "95 %", "over the placebo", "95 %")
        for gain in (*one.gains, one.together):
            table.add_row(gain.kind, *_interval(gain.clean, "+.2f"), *_interval(gain.placebo, "+.2f"))
        screen.print(table)


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column)
    return table


def _interval(value: Interval, form: str) -> tuple[str, str]:
    return f"{value.mean:{form}}", f"{value.low:{form}} to {value.high:{form}}"
