"""`whyrec fit`: weights by what validation data say, written to small files that a service reads."""

from __future__ import annotations

import typer

from api.cli.fit_rank import rank
from api.cli.fit_recall import recall

app = typer.Typer(no_args_is_help=True, help="Fit the blends' weights on held-out choices.")
app.command("recall")(recall)
app.command("rank")(rank)
