"""`whyrec doctor`: what is wrong, and what to do."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Config, Json


def doctor(
    model: Annotated[bool, typer.Option(help="Ask the language model too.")] = True,
    config: Config = None,
    json: Json = False,
) -> None:
    """Look at configuration, sources, disk, clock, store, build, artefact, keys and model.

    Changes nothing. Exit code 1 when something is wrong; warnings leave it 0.

    Example: whyrec doctor
    """
    from rich.table import Table
    from rich.text import Text

    from api.cli.output import console, plain, print_json
    from api.doctor import examine
    from api.settings import load_settings

    found = examine(load_settings(config), probe_model=model)
    if json:
        print_json(found)
    else:
        styles = {"ok": "green", "warning": "yellow", "wrong": "bold red"}
        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("check", "", "seen", "what to do"):
            table.add_column(title, overflow="fold")
        for each in found:
            state = Text(each.state, styles[each.state])
            table.add_row(each.check, state, plain(each.seen), plain(each.remedy))
        console().print(table)
    if any(each.state == "wrong" for each in found):
        raise typer.Exit(1)
