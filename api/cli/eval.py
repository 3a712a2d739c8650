"""`whyrec eval`: prompts, methods and models compared on what people really chose next."""

from __future__ import annotations

import typer

from api.cli.eval_decide import ab, gate, promote
from api.cli.eval_reasons import reasons
from api.cli.eval_run import compare, run
from api.cli.eval_study import demo, example, fusion

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def eval_() -> None:
    """Compare prompts, methods and models on what people really chose next."""


for command in (example, run, compare, gate, promote, fusion, ab, reasons, demo):
    app.command()(command)
