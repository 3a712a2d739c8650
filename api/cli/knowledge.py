"""`whyrec knowledge`: what was extracted about items and people: show, export, forget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from api.cli.linked import node_of, settings_of, store_url
from api.cli.options import Config, Json

if TYPE_CHECKING:
    from api.settings import Settings
    from recall.store import Store

app = typer.Typer(no_args_is_help=True, add_completion=False)

Person = Annotated[bool, typer.Option("--person", help="The name is an account or a person, not an item.")]


@app.callback()
def knowledge() -> None:
    """What language models said of items and people, as it is kept in the store.

    `whyrec extract` writes it. Facts marked `model` are in no text of the item: the model remembered them.
    """


@app.command()
def show(
    name: Annotated[
        str | None,
        typer.Argument(
            help="PLATFORM:ID or an id as whyrec prints it; none: how much there is.", metavar="[NAME]"
        ),
    ] = None,
    person: Person = False,
    json: Json = False,
    config: Config = None,
) -> None:
    """Show the facts about an item, or with --person the statements about a person.

    Example: whyrec knowledge show cinema:c1
    """
    from api.cli.output import print_json
    from api.migrations import open_migrated
    from recall.errors import NotFound

    settings = settings_of(config)
    with open_migrated(store_url(settings)) as store:
        if name is None:
            counts = store.run(_counts(store))
            print_json(counts) if json else _show_counts(counts)
            return
        kind: Literal["item", "person"] = "person" if person else "item"
        ids = store.run(_ids(store, _target(settings, kind, name)))
        found = store.run(_known(store, kind, ids))
    if found["extraction"] is None:
        what = "people" if person else "items"
        raise NotFound(f"nothing was extracted about {name!r}; run `whyrec extract {what}`")
    print_json(found) if json else _show(found)


@app.command()
def export(
    what: Annotated[
        Literal["items", "people", "all"], typer.Option(help="Facts, statements, or both.")
    ] = "items",
    config: Config = None,
) -> None:
    """Print all facts, and with --what people or all the statements, as JSON lines.

    Example: whyrec knowledge export > facts.jsonl
    """
    import json

    from api.migrations import open_migrated
    from rerank.knowledge.export import lines

    with open_migrated(store_url(settings_of(config))) as store:
        for row in store.run(lines(store, what)):
            typer.echo(json.dumps(row))


@app.command()
def forget(
    name: Annotated[str | None, typer.Argument(help="PLATFORM:ID or an id.", metavar="[NAME]")] = None,
    person: Person = False,
    all_items: Annotated[bool, typer.Option("--all-items", help="Everything about items.")] = False,
    all_people: Annotated[bool, typer.Option("--all-people", help="Everything about people.")] = False,
    config: Config = None,
) -> None:
    """Remove what was extracted about one item or person, or about all; the next extraction reads them anew.

    This is no erasure of a person: DELETE /v1/users does that, knowledge included.

    Example: whyrec knowledge forget cinema:c1
    """
    from api.cli.output import console
    from api.migrations import open_migrated
    from rerank.knowledge.store import forget_items, forget_people, forget_person

    if (name is None) == (not all_items and not all_people):
        raise typer.BadParameter("name an item or person, or say --all-items or --all-people")
    settings = settings_of(config)
    with open_migrated(store_url(settings)) as store:
        removed = 0
        if name is not None:
            kind: Literal["item", "person"] = "person" if person else "item"
            ids = store.run(_ids(store, _target(settings, kind, name)))
            removed += store.run(forget_person(store, ids) if person else forget_items(store, ids))
        if all_items:
            removed += store.run(forget_items(store))
        if all_people:
            removed += store.run(forget_people(store))
    console().print(f"{removed:,} rows removed")


def _target(settings: Settings, kind: Literal["item", "person"], name: str) -> str:
    """The id that a name stands for: an id itself, or PLATFORM:ID by the current build's links."""
    from recall.links_index import LinksIndex
    from recall.workspace import Workspace

    if ":" not in name:
        return name
    index = LinksIndex.load(Workspace(settings.workspace).builds.current())
    found = index.person(*node_of(name)) if kind == "person" else index.item(*node_of(name))
    return found[0]


async def _ids(store: Store, id: str) -> list[str]:
    from rerank.aliases import known_as

    async with store.read() as connection:
        return await known_as(connection, id)


async def _known(store: Store, kind: Literal["item", "person"], ids: list[str]) -> dict[str, Any]:
    """What is known under the first of these ids under which anything was extracted."""
    from rerank.knowledge.store import MOST_PARTS, extracted, load_facts, load_profile, part_of

    parts = [part_of(id, number) for id in ids for number in range(MOST_PARTS if kind == "person" else 1)]
    settled = await extracted(store, kind, parts)
    id = next((one for one in ids if one in settled), ids[0])
    found: dict[str, Any] = {"id": id, "extraction": settled.get(id)}
    if kind == "item":
        found["facts"] = (await load_facts(store, [id])).get(id, ())
    else:
        profile = await load_profile(store, id)
        found["statements"] = () if profile is None else profile.statements
    return found


async def _counts(store: Store) -> dict[str, Any]:
    from rerank.knowledge.export import counts

    return await counts(store)


def _show(found: dict[str, Any]) -> None:
    from rich.table import Table

    from api.cli.output import console, plain

    screen, settled = console(), found["extraction"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    if "facts" in found:
        rows = [(one.kind, one.value, f"{one.confidence:.2f}", one.source) for one in found["facts"]]
        columns = ("kind", "value", "confidence", "source")
    else:
        rows = [
            (one.kind + (f" on {one.platform}" if one.platform else ""), one.text, f"{one.confidence:.2f}",
             f"{len(one.events)} events")
            for one in found["statements"]
        ]  # fmt: skip
        columns = ("kind", "statement", "confidence", "rests on")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(plain, row))
    screen.print(table if rows else "nothing was found worth keeping")
    dropped = ", ".join(f"{number} {cause}" for cause, number in sorted(settled.dropped.items()))
    said = (
        f"{found['id']}: {settled.status}, {settled.attempts} calls to {settled.model}, {_day(settled.time)}"
    )
    screen.print(plain(said + (f"; left out or marked: {dropped}" if dropped else "")), style="dim")


def _show_counts(counts: dict[str, Any]) -> None:
    from rich.table import Table

    from api.cli.output import console, plain

    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in counts.items():
        said = value
        if isinstance(value, dict):
            said = ", ".join(f"{key}: {number:,}" for key, number in value.items()) or "none"
        table.add_row(plain(name), plain(str(said)))
    console().print(table)


def _day(seconds: int) -> str:
    import time

    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
