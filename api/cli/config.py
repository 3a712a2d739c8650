"""`whyrec config`: what is configured, and where each value comes from."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Config, Json

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def config() -> None:
    """The configuration in force."""


@app.command()
def show(
    everything: Annotated[bool, typer.Option("--all", help="Show defaults too.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show what is configured and whether the environment or the file says so. Secrets stay hidden.

    Example: whyrec config show --all
    """
    import os
    from dataclasses import replace

    from rich.table import Table

    from api.cli.output import console, plain, print_json
    from api.origins import values_of
    from api.settings import file_of, load_settings
    from rerank.llm.config import with_environment

    settings = load_settings(config)
    settings = settings.model_copy(update={"llm": with_environment(settings.llm, os.environ)})
    found = values_of(settings, file_of(config))
    shown = [each for each in found if everything or each.origin != "default"]
    if json:
        print_json([replace(each, value=_readable(each.value)) for each in shown])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("key", "value", "from"):
        table.add_column(title, overflow="fold")
    for each in shown:
        table.add_row(each.key, plain(str(_readable(each.value))), each.origin)
    console().print(table)


def _readable(value: object) -> object:
    """Sets in a fixed order."""
    return sorted(value, key=str) if isinstance(value, frozenset | set) else value
