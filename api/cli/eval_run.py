"""`whyrec eval run` and `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import Config, Json

if TYPE_CHECKING:
    from evals.comparison import Comparison
    from evals.run import Ended, Progress

Declared = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="The evaluation, in TOML.", show_default=False)
]


def run(
    declared: Declared,
    config: Config = None,
    json: Json = False,
    budget: Annotated[
        float | None,
        typer.Option("--budget", min=0, help="Most money that the run may cost in all, by the price file."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw the run's earlier rows away.")] = False,
) -> None:
    """Put every case to every arm. Cut off at any moment, the same command goes on where it ended.

    Example: whyrec eval run prompts.toml --config demo/whyrec.toml
    """
    from api.cli.output import console, print_json

    ended = run_declared(declared, config, budget=budget, fresh=fresh)
    if json:
        print_json(ended)
        return
    cost = "" if ended.cost is None else f", cost {ended.cost:.4f}"
    out = console()
    out.print(
        f"{ended.rows:,} rows in {ended.folder}: {ended.asked:,} calls now, {ended.failed:,} failed{cost}",
        soft_wrap=True,
    )
    if ended.stopped:
        out.print(f"stopped: {ended.stopped}")
    out.print(f"next: whyrec eval compare {ended.folder.name}", soft_wrap=True)


def run_declared(
    declared: Path, config: Path | None, *, budget: float | None = None, fresh: bool = False
) -> Ended:
    """Run what a file declares, with progress on stderr."""
    import asyncio
    import shutil

    from api.migrations import upgrade
    from api.settings import load_settings
    from evals.config import load_config
    from evals.run import run as start
    from evals.run import runs_folder
    from recall.store import open_store
    from recall.store.consents import load_statements
    from recall.workspace import Workspace
    from rerank.knowledge.reader import StoredKnowledge

    evaluation, settings = load_config(declared), load_settings(config)
    if fresh:
        shutil.rmtree(runs_folder(settings.workspace) / evaluation.name, ignore_errors=True)
    with _Shown() as shown:

        async def whole() -> Ended:
            store_url = settings.store.resolve(Workspace(settings.workspace).store_file)
            async with open_store(store_url) as store:
                await upgrade(store)
                return await start(
                    settings,
                    evaluation,
                    budget=budget,
                    statements=await load_statements(store),
                    knowledge=StoredKnowledge(store),
                    step=shown.step,
                    progress=shown.progress,
                )

        return asyncio.run(whole())


class _Shown:
    """Progress on stderr: what is done, calls, tokens, cost, time left."""

    def __enter__(self) -> _Shown:
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        from api.cli.output import console

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[told]}"),
        )
        self._bar = Bar(*columns, console=console(stderr=True), transient=True)
        self._bar.__enter__()
        self._task = self._bar.add_task("starting", total=None, told="")
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.__exit__(*error)

    def step(self, text: str) -> None:
        self._bar.update(self._task, description=text)

    def progress(self, state: Progress) -> None:
        told = f"{state.done:,}/{state.total:,} · {state.calls:,} calls · {state.tokens:,} tokens"
        if state.cost is not None and state.cost > 0:
            told += f" · cost {state.cost:.4f}"
        if state.left is not None:
            minutes, seconds = divmod(int(state.left), 60)
            told += f" · {minutes}:{seconds:02} left"
        self._bar.update(self._task, description="asking", completed=state.done, total=state.total, told=told)


def compare(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN…", help="Runs by name or folder.", show_default=False)
    ],
    config: Config = None,
    json: Json = False,
    baseline: Annotated[str, typer.Option("--baseline", help="The arm to compare with.")] = "recall",
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a report into one self-contained file."),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown instead of a table.")] = False,
    prices: Annotated[
        Path | None, typer.Option("--prices", help="A price file.  [default: the run's]", show_default=False)
    ] = None,
) -> None:
    """Arms side by side, with intervals and tests on the same people.

    Example: whyrec eval compare prompts --html report.html
    """
    from api.cli.output import console, print_json
    from api.settings import load_settings
    from evals.cells import markdown as as_markdown
    from evals.comparison import comparisons
    from evals.results import Results, find_run

    workspace = load_settings(config, required=False).workspace
    loaded = [Results.load(find_run(workspace, name)) for name in runs]
    found = comparisons(loaded, baseline=baseline, prices=prices)
    if html is not None:
        from evals.report import write_report

        write_report(html, found, loaded)
        console(stderr=True).print(f"report: {html}", soft_wrap=True)
    if json:
        print_json(found)
    elif markdown:
        typer.echo("\n".join(as_markdown(one) for one in found), nl=False)
    else:
        for one in found:
            show(one)


def show(comparison: Comparison) -> None:
    """Print one comparison: the table, then what must be known to read it."""
    from rich.table import Table

    from api.cli.output import console, plain
    from evals.cells import NARROW, narrow, told

    out = console()
    table = Table(box=None, pad_edge=False)
    for number, name in enumerate(NARROW):
        table.add_column(name, justify="left" if number == 0 else "right", no_wrap=True)
    for row in narrow(comparison):
        table.add_row(*map(plain, row))
    out.print(table)
    out.print()
    for line in told(comparison):
        out.print(plain(line), soft_wrap=True)
    for arm in comparison.arms:
        if arm.reasons is not None:
            of = arm.reasons
            withheld = ", ".join(f"{code} {share:.0%}" for code, share in of.withheld.items()) or "none"
            out.print(
                f"{arm.name}: reasons written {of.written:.0%}, supported {of.supported:.0%}, "
                f"withheld {withheld}"
            )
        if arm.stability is not None:
            of_order = arm.stability
            out.print(
                f"{arm.name}: orders under shuffled candidates: Kendall {of_order.kendall:.2f}, "
                f"RBO {of_order.rbo:.2f}"
            )
