"""`whyrec links`: which accounts are one person and which listings one item, and deciding it by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from api.cli.linked import cluster, node_of, settings_of, store_url
from api.cli.links_judge import judge
from api.cli.options import Config, Json

if TYPE_CHECKING:
    from api.settings import Settings
    from recall.links.ledger import Action, Kind, Ledger, Node

app = typer.Typer(no_args_is_help=True, add_completion=False)

Name = Annotated[
    str, typer.Argument(help="PLATFORM:ID, the platform's own user or item id.", metavar="PLATFORM:ID")
]
Other = Annotated[
    str | None, typer.Argument(help="The other one; without it, any other.", metavar="[PLATFORM:ID]")
]
Items = Annotated[bool, typer.Option("--items", help="These are listings of items, not accounts of persons.")]


@app.callback()
def links() -> None:
    """Which accounts are one person and which listings one item, and deciding it by hand.

    Decisions count from the next ingest on and stay in force through later ones.
    """


@app.command()
def show(name: Name, items: Items = False, config: Config = None, json: Json = False) -> None:
    """Show what an account or a listing is joined with, how surely, and what was decided about it.

    Example: whyrec links show cinema:42
    """
    from rich.table import Table

    from api.cli.output import console, plain, print_json

    settings, kind, node = settings_of(config), _kind(items), node_of(name)
    rows = cluster(settings, kind, node)
    decisions = [
        one for one in _ledger(settings).decisions if one.kind == kind and node in (one.node, one.other)
    ]
    if json:
        print_json({"links": rows, "decisions": decisions})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("platform", "id", kind, "confidence", "method", "since"):
        table.add_column(column)
    for row in rows:
        since = _date(row["since"])
        values = (
            row["platform"],
            row["key"],
            row["target"],
            f"{row['confidence']:.2f}",
            row["method"],
            since,
        )
        table.add_row(*map(plain, values))
    out = console()
    out.print(table)
    for one in decisions:
        other = ":".join(one.other) if one.other else "any other"
        out.print(plain(f"{_date(one.at)} {one.action} {':'.join(one.node)} and {other}, by {one.by}"))


@app.command()
def add(name: Name, other: Name, items: Items = False, config: Config = None) -> None:
    """Join two accounts into one person, or with --items two listings into one item.

    Example: whyrec links add cinema:42 shop:C-00017
    """
    _decide("add", name, other, items, config)


@app.command()
def remove(name: Name, other: Other = None, items: Items = False, config: Config = None) -> None:
    """Keep two accounts (with --items: listings) apart, whatever else speaks for joining them.

    Example: whyrec links remove cinema:42 shop:C-00017
    """
    _decide("remove", name, other, items, config)


@app.command()
def review(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many pairs.")] = 20,
    list_only: Annotated[bool, typer.Option("--list", help="Show the pairs, ask nothing.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Go through the doubtful pairs of listings, those with the most events first: yes, no, or skip.

    Example: whyrec links review --limit 5
    """
    from api.cli.output import console, print_json
    from recall.links.review import doubtful
    from recall.workspace import Workspace

    settings = settings_of(config)
    pairs = doubtful(Workspace(settings.workspace).builds.current(), _ledger(settings), settings.links)
    if json:
        print_json(pairs[:limit])
        return
    out = console()
    if not pairs:
        out.print("no doubtful pairs")
    for number, pair in enumerate(pairs[:limit], 1):
        doubt = pair.doubt
        out.print(f"{number} of {len(pairs)}: {pair.events:,} events, {doubt.method} {doubt.confidence:.2f}")
        out.print(_beside(pair.one, pair.other))
        if list_only:
            continue
        answer = typer.prompt("the same work? [y]es, [n]o, [s]kip, [q]uit", default="s").strip().lower()[:1]
        if answer == "q":
            break
        if answer in ("y", "n"):
            _keep(settings, "item", "add" if answer == "y" else "remove", doubt.one, doubt.other, "review")


app.command()(judge)


def _beside(one: dict[str, Any], other: dict[str, Any]) -> Any:
    from rich.table import Table

    from api.cli.output import plain

    table = Table(box=None, pad_edge=False, show_header=False)
    for name in ("platform", "listing", "title", "year", "creators", "categories", "external_ids"):
        values = [one.get(name), other.get(name)]
        if any(values):
            shown = [", ".join(map(str, v)) if isinstance(v, list) else str(v or "") for v in values]
            table.add_row(name, *map(plain, shown))
    return table


def _decide(action: Action, name: str, other: str | None, items: bool, config: Any) -> None:
    from api.cli.output import console

    settings, kind = settings_of(config), _kind(items)
    one, two = node_of(name), node_of(other) if other else None
    for node in (one, two):
        if node is not None:
            cluster(settings, kind, node)  # NotFound for a misspelt id
    _keep(settings, kind, action, one, two, "cli")
    console().print("kept; it counts from the next `whyrec ingest` on")


def _keep(settings: Settings, kind: Kind, action: Action, one: Node, other: Node | None, by: str) -> None:
    from api.migrations import open_migrated
    from recall.links.ledger import Decision
    from recall.store.links import add_decisions

    with open_migrated(store_url(settings)) as store:
        store.run(add_decisions(store, [Decision(kind, action, one, other, by)]))


def _ledger(settings: Settings) -> Ledger:
    from api.migrations import open_migrated
    from recall.store.links import load_ledger

    with open_migrated(store_url(settings)) as store:
        return store.run(load_ledger(store))


def _kind(items: bool) -> Literal["person", "item"]:
    return "item" if items else "person"


def _date(at: int | None) -> str:
    from datetime import UTC, datetime

    return "" if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"
