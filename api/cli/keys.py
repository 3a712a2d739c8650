"""`whyrec keys`: who may ask the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import Config, Json

if TYPE_CHECKING:
    from recall.store import Store

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def keys() -> None:
    """API keys of the HTTP service: made, listed, revoked.

    A key is shown once; the store keeps a hash of it.
    """


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is, for people.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="read, write or admin; may be given several times.")
    ] = None,
    platform: Annotated[
        list[str] | None, typer.Option(help="A platform it is for; may be repeated.  [default: all]")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires.  [default: never]")] = None,
    per_minute: Annotated[
        int | None, typer.Option(min=0, help="Requests a minute; 0: no limit.  [default: [security]'s]")
    ] = None,
    tokens_per_day: Annotated[
        int | None, typer.Option(min=0, help="Tokens of a language model a day.  [default: [security]'s]")
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Make a key and show it, once.

    Example: whyrec keys create web-shop --scope read --scope write --platform shop --days 90
    """
    import time

    from api.cli.output import print_json
    from api.keys import SCOPES, make_key
    from api.settings import load_settings
    from recall.errors import NotFound

    settings = load_settings(config)
    for each in scope or ():
        if each not in SCOPES:
            raise typer.BadParameter(f"--scope {each!r}: use one of {', '.join(SCOPES)}")
    for each in platform or ():
        if each not in settings.platforms:
            raise NotFound(f"no platform {each!r}; whyrec.toml has {', '.join(settings.platforms)}")
    with _store(config) as store:
        shown, key = store.run(
            make_key(
                store,
                name=name,
                scopes=scope or ["read"],
                platforms=platform or None,
                per_minute=per_minute,
                tokens_per_day=tokens_per_day,
                expires=int(time.time()) + days * 86_400 if days else None,
            )
        )
    if json:
        print_json({"key": shown, "id": key.id})
        return
    typer.echo(shown)
    typer.echo(f"key {key.id}: it is not shown again; send it as `Authorization: Bearer KEY`", err=True)


@app.command(name="list")
def list_(config: Config = None, json: Json = False) -> None:
    """List the keys that were made.

    Example: whyrec keys list
    """
    import time
    from datetime import UTC, datetime

    from rich.table import Table

    from api.cli.output import console, plain, print_json
    from api.keys import list_keys

    with _store(config) as store:
        found = store.run(list_keys(store))
    if json:
        print_json(found)
        return

    def day(seconds: int | None) -> str:
        return "" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("id", "name", "scopes", "platforms", "made", "expires", "state"):
        table.add_column(title)
    for key in found:
        state = "revoked" if key.revoked else "valid" if key.valid(time.time()) else "expired"
        platforms = "all" if key.platforms is None else ", ".join(sorted(key.platforms))
        scopes = ", ".join(sorted(key.scopes))
        dates = (day(key.created), day(key.expires))
        table.add_row(key.id, plain(key.name), scopes, platforms, *dates, state)
    console().print(table)


@app.command()
def revoke(
    id: Annotated[str, typer.Argument(help="The key's id, as `whyrec keys list` shows it.")],
    config: Config = None,
) -> None:
    """Make a key useless. A running service stops taking it within five seconds.

    Example: whyrec keys revoke 3f09c1aa52de
    """
    from api.keys import revoke_key

    with _store(config) as store:
        store.run(revoke_key(store, id))
    typer.echo(f"key {id} is revoked")


def _store(config: Config) -> Store:
    from api.cli.linked import store_url
    from api.migrations import open_migrated
    from api.settings import load_settings

    return open_migrated(store_url(load_settings(config)))
