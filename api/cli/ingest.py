"""`whyrec ingest`: read what changed, merge it, make the build current."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import Config, Json

if TYPE_CHECKING:
    from api.linking import Linking
    from recall.report import BuildReport
    from recall.workspace import Workspace


def ingest(
    check: Annotated[
        bool, typer.Option("--check", help="Try the beginning of every source and write nothing.")
    ] = False,
    rows: Annotated[
        int, typer.Option("--rows", min=1, max=100_000, help="With --check: rows of each source to try.")
    ] = 2_000,
    config: Config = None,
    json: Json = False,
) -> None:
    """Merge the platforms' data into one build.

    Only new and changed files are read again. When more rows are unusable than [merge] max_reject_share
    allows, nothing is changed and the commonest reasons are shown.

    With --check it shows what each column of each source becomes and which rows would be left out, and ends
    with 1 where a source can't be read.

    Example: whyrec ingest --check --config shop/whyrec.toml
    """
    import time

    from api.cli.output import print_json
    from api.linking import Linking
    from api.settings import load_settings
    from recall.workspace import Workspace

    settings = load_settings(config)
    if check:
        from api.cli.preview import show_preview

        show_preview(settings, rows, json=json)
        return
    with Linking.open(settings) as linking:
        report = _run(Workspace(settings.workspace), linking, now=int(time.time()))
        linking.keep()
    if json:
        print_json(report.as_json())
    else:
        _show(report)


def _run(workspace: Workspace, linking: Linking, *, now: int) -> BuildReport:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from api.cli.output import console
    from recall.merge import ingest as merge

    def show(step: str, done: int, total: int) -> None:
        bar.update(task, description=step, completed=done, total=total)

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)
        return merge(
            linking.inputs,
            workspace,
            linking.link,
            linking.consent,
            now=now,
            progress=show,
            notes=linking.linker,
            ready=linking.ready,
        )


def _show(report: BuildReport) -> None:
    from rich.table import Table

    from api.cli.output import console

    whole = report.as_json()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("platform", "read", "kept", "duplicates", "set aside", "rejected", "commonest reason"):
        table.add_column(name, justify="left" if name in ("platform", "commonest reason") else "right")
    for platform, counts in [*whole["platforms"].items(), ("all", whole["total"])]:
        reason = next(iter(counts["reasons"]), "")
        numbers = [f"{counts[key]:,}" for key in ("read", "kept", "duplicates", "set_aside", "rejected")]
        table.add_row(platform, *numbers, reason)
    out = console()
    out.print(table)
    rows = report.tables
    out.print(
        f"{rows['people']:,} persons, {rows['items']:,} items, {rows['events']:,} events, "
        f"{rows['interactions']:,} interactions"
    )
    links = report.details["links"]
    if links["doubts"]:
        out.print(f"{links['doubts']:,} doubtful pairs of listings: whyrec links review")
    if links["refused_keys"]:
        out.print(f"{len(links['refused_keys']):,} keys joined nobody, since too many accounts have them")
    out.print(f"build {report.build}: {report.path / 'report.html'}", soft_wrap=True)
