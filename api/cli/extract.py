"""`whyrec extract`: facts about items and profiles of people, read by the language model into the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from api.cli.options import Config, Json

if TYPE_CHECKING:
    from api.extracting import Ground
    from api.settings import Settings
    from rerank.knowledge.runner import Report

app = typer.Typer(no_args_is_help=True, add_completion=False)

Limit = Annotated[int | None, typer.Option(min=1, help="Ask about at most so many.")]
MaxCost = Annotated[float | None, typer.Option(min=0, help="Money, by the prices of the section budget.")]
MaxMinutes = Annotated[float | None, typer.Option(min=0.01, help="Stop after so many minutes.")]
Again = Annotated[bool, typer.Option("--again", help="Ask once more where every reply was damaged before.")]
Deadline = Annotated[float, typer.Option(min=0.1, help="Seconds for one call.")]


@app.callback()
def extract() -> None:
    """What the model knows about items and people, read into the store in batches.

    A run asks only about what is new or changed, saves each as soon as it is read, and can be ended at any
    time: the next one goes on. It costs what [budget] and the options allow.
    """


@app.command()
def items(
    item: Annotated[
        list[str] | None, typer.Option(help="PLATFORM:LISTING; only these. May be given several times.")
    ] = None,
    limit: Limit = None,
    max_cost: MaxCost = None,
    max_minutes: MaxMinutes = None,
    again: Again = False,
    deadline: Deadline = 120.0,
    json: Json = False,
    config: Config = None,
) -> None:
    """Read facts out of items' titles, attributes and descriptions.

    What the text does not state is marked as the model's memory; what contradicts the catalogue is left out.
    Items that came in live are first. Then run `whyrec train`, so that recall knows them too.

    Example: whyrec extract items --limit 200 --max-minutes 30
    """
    _run("items", item or (), limit, max_cost, max_minutes, again, deadline, json, config)


@app.command()
def people(
    user: Annotated[
        list[str] | None, typer.Option(help="PLATFORM:USER; only these. May be given several times.")
    ] = None,
    limit: Limit = None,
    max_cost: MaxCost = None,
    max_minutes: MaxMinutes = None,
    again: Again = False,
    deadline: Deadline = 120.0,
    json: Json = False,
    config: Config = None,
) -> None:
    """Read lasting tastes, current interests, dislikes and habits out of people's histories.

    Each statement cites events; one that they do not carry is left out. A model sees titles, days and what
    was done, never names or ids, and never mixes platforms that may not serve each other. A person is read
    again when knowledge.refresh_events new events came in, or one that a statement rests on is gone.

    Example: whyrec extract people --limit 20 --max-minutes 30
    """
    _run("people", user or (), limit, max_cost, max_minutes, again, deadline, json, config)


def _run(
    what: Literal["items", "people"],
    names: list[str] | tuple[str, ...],
    limit: int | None,
    max_cost: float | None,
    max_minutes: float | None,
    again: bool,
    deadline: float,
    json: bool,
    config: Path | None,
) -> None:
    import asyncio

    from api.cli.linked import settings_of
    from api.cli.output import print_json
    from rerank.knowledge.runner import Limits

    limits = Limits(max_cost, max_minutes, limit, deadline)
    report = asyncio.run(_extract(settings_of(config), what, names, limits, again))
    if json:
        print_json(_row(report))
    else:
        _show(what, report)
    if report.stopped == "interrupted":
        raise typer.Exit(130)
    if report.calls and not report.done:
        raise typer.Exit(1)


async def _extract(
    settings: Settings, what: str, names: list[str] | tuple[str, ...], limits: object, again: bool
) -> Report:
    import asyncio
    import signal

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from api.cli.linked import node_of
    from api.cli.output import console
    from api.extracting import Options, extract_items, extract_people, open_ground

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("opening the build and the model", total=None)

        def show(report: Report, total: int) -> None:
            seen = report.done + report.skipped + report.given_up + report.failed + report.erased
            said = f"{what}: {report.tokens:,} tokens, {report.damaged} damaged replies"
            bar.update(task, description=said, total=total, completed=seen)

        async with open_ground(settings) as ground:
            ids = frozenset(_id(ground, what, node_of(name)) for name in names)
            options = Options(limits, again, ids, stop, show)  # type: ignore[arg-type]
            loop.add_signal_handler(signal.SIGINT, stop.set)
            loop.add_signal_handler(signal.SIGTERM, stop.set)
            try:
                extract = extract_items if what == "items" else extract_people
                return await extract(ground, options)
            finally:
                loop.remove_signal_handler(signal.SIGINT)
                loop.remove_signal_handler(signal.SIGTERM)


def _id(ground: Ground, what: str, node: tuple[str, str]) -> str:
    return ground.library.item_id(*node) if what == "items" else ground.library.person(*node)


def _row(report: Report) -> dict[str, object]:
    import dataclasses

    return {**dataclasses.asdict(report), "dropped": dict(report.dropped), "tokens": report.tokens}


def _show(what: str, report: Report) -> None:
    from api.cli.output import console, plain

    screen = console()
    screen.print(
        plain(
            f"{report.done:,} {what} read in {report.seconds:,.0f} s, {report.skipped:,} as before; "
            f"{report.calls:,} calls, {report.tokens:,} tokens"
            + ("" if report.cost is None else f", cost {report.cost:.4g}")
        )
    )
    if report.damaged or report.given_up or report.failed or report.erased:
        screen.print(
            f"{report.damaged:,} damaged replies, {report.given_up:,} {what} given up after all tries "
            f"(--again asks once more), {report.failed:,} without an answer (the next run asks again)"
        )
    if report.dropped:
        counts = ", ".join(f"{number:,} {cause}" for cause, number in sorted(report.dropped.items()))
        screen.print(plain(f"left out or marked: {counts}"))
    if report.stopped:
        screen.print(plain(f"stopped: {report.stopped}; run it again to go on"))
