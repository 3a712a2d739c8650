"""`whyrec bench`: speed against peers, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import Config, Json


def bench(
    name: Annotated[str, typer.Argument(help="One of the benches: recall …", show_default=False)],
    config: Config = None,
    json: Json = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="A small run; its figures aren't worth quoting.")
    ] = False,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", help="Keep costly inputs here.  [default: ~/.cache/whyrec/bench]"),
    ] = None,
    rows: Annotated[
        int | None, typer.Option("--rows", min=1000, help="Of merge: rows in all.  [default: 10000000]")
    ] = None,
) -> None:
    """Measure one part against its peers in one run, one thread each (merge: two).

    Example: whyrec bench recall
    """
    import os
    from importlib import import_module

    from api.cli.output import console, print_json
    from api.settings import load_settings
    from evals.bench import BENCHES
    from recall.errors import ConfigError, NotFound
    from recall.workspace import Workspace

    benches = {**BENCHES, "api": "api.bench"}
    if name not in benches:
        raise NotFound(f"no bench {name!r}; have {', '.join(benches)}")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    workspace = Workspace(load_settings(config, required=False).workspace)
    notes = console(stderr=True)
    if rows is not None and name != "merge":
        raise ConfigError(f"--rows belongs to the merge bench; leave it out of {name!r}")
    sized = {} if rows is None else {"rows": rows}
    cache = cache or home / "whyrec" / "bench"
    figures = import_module(benches[name]).run(
        quick=quick, cache=cache, workspace=workspace, progress=notes.print, **sized
    )
    if json:
        print_json(figures)
        return
    from rich.table import Table

    table = Table("what", "who", "value", "unit", "ours / theirs", "agree", "95 %")
    for figure in figures:
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        agree = "" if figure.agree is None else f"{figure.agree:.4f}"
        who = figure.peer or "whyrec"
        unsure = "" if figure.low is None else f"{figure.low:.4f} to {figure.high:.4f}"
        table.add_row(
            figure.name, who, f"{figure.value:,.{4 if unsure else 3}f}", figure.unit, ratio, agree, unsure
        )
    console().print(table)
