"""`whyrec fit recall`: weights of the sources of candidates, by what validation data say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from api.cli.options import Config, Json

if TYPE_CHECKING:
    from recall.weights import Weights


def recall(
    split: Annotated[
        Literal["last", "time"],
        typer.Option(help="Hold out what each person liked last, or what came after a moment."),
    ] = "last",
    people: Annotated[int, typer.Option(min=20, help="At most so many, by a seeded draw.")] = 3000,
    seed: Annotated[int, typer.Option(help="Of the draw, the ties and the folds.")] = 0,
    json: Json = False,
    config: Config = None,
) -> None:
    """Fit the weights and settings of the recall blend by history length and for people new to a platform.

    Trains once without what is held out, asks every source about it, then looks for the weights. Tests use
    each person's last liked item (or the last tenth of the events), which stays out of it. The file takes
    effect with the next answer of a new process; remove it to go back to the defaults.

    Example: whyrec fit recall --people 2000
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from api.cli.output import console, print_json
    from api.settings import load_settings
    from evals.fit.recall import work
    from recall.aside import aside
    from recall.errors import NotFound
    from recall.workspace import Workspace

    settings = load_settings(config)
    workspace = Workspace(settings.workspace)
    try:
        build = workspace.builds.current()
    except NotFound as error:
        raise NotFound(f"{error}; run `whyrec ingest` first") from error

    def show(step: str, done: int, all: int) -> None:
        bar.update(task, description=step, completed=done, total=all)

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)
        given = (build, settings.train, split, people, seed)
        weights = aside(work, *given, progress=show, what="the fitting process")
    written = weights.save(workspace.weights)
    if json:
        print_json({"written": written, **weights.model_dump()})
        return
    _show(weights)
    console().print(f"written to {written}")


def _show(weights: Weights) -> None:
    from rich.table import Table

    from api.cli.output import console

    fit = weights.fit
    if fit is None:
        return
    rows = {"all": (weights.default, fit.all)}
    rows |= {name: (weights.segments[name], gain) for name, gain in fit.segments.items()}
    table = Table("liked items", *rows, box=None, pad_edge=False, header_style="bold")
    for source in weights.default:
        table.add_row(source, *(f"{mine.get(source, 0.0):.3f}" for mine, _ in rows.values()))
    gains = [gain for _, gain in rows.values()]
    table.add_row("people asked", *(f"{gain.people:,}" for gain in gains))
    for name, sign in (("ndcg", ""), ("gain", "+"), ("low", "+"), ("high", "+")):
        label = {"ndcg": "NDCG@10", "low": "  from", "high": "  to"}.get(name, name)
        table.add_row(label, *(f"{getattr(gain, name):{sign}.4f}" for gain in gains))
    console().print(table)
    settings = ", ".join(f"{name} {value:g}" for name, value in weights.tuning.model_dump().items())
    if fit.trees is not None:
        share = f"a share of {weights.trees.share:g}" if weights.trees else "no share, the gain is in doubt"
        console().print(
            f"trees over the sources' scores: {share}; they gain {fit.trees.gain:+.4f} over the sum, "
            f"from {fit.trees.low:+.4f} to {fit.trees.high:+.4f}, on people whom they did not learn from"
        )
    console().print(
        f"settings: {settings}\nheld out: {fit.split}\nNDCG@10 and its gain over the weights set by hand, "
        "95 %, are of people left out of the choice"
    )
