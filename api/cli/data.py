"""`whyrec data`: sample data to try whyrec with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import Json

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Sample data to try whyrec with.")


@app.callback()
def data() -> None:
    """Sample data to try whyrec with."""


@app.command()
def sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; made when missing.")],
    wheel: Annotated[
        Path | None,
        typer.Option("--wheel", help="A downloaded RecBole 1.2.1 wheel, for use without an index."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the rule that deals the ratings out.")] = 20,
    json: Json = False,
) -> None:
    """Write sample data: real ratings (MovieLens 100k) dealt out to three simulated platforms.

    The ratings come out of the RecBole 1.2.1 wheel, which pip fetches from your package index once. Cut off,
    the same command completes what is there.

    Example: whyrec data sample demo
    """
    from api.cli.output import console, print_json
    from recall.sample import make_sample

    out, err = console(), console(stderr=True)
    made = make_sample(folder, wheel=wheel, seed=seed, progress=lambda step: err.print(f"{step} …"))
    if json:
        print_json(made)
        return
    parts = ", ".join(
        f"{name} {made.events[name]:,} (of {made.listings[name]:,} titles)" for name in made.events
    )
    out.print(f"{made.ratings:,} ratings by {made.persons:,} persons of {made.works:,} films: {parts}")
    out.print(f"{made.linked:,} of {made.persons:,} persons are in links/people.csv; the rest stay unlinked")
    if made.config_kept:
        out.print(f"{folder / 'whyrec.toml'} was changed by somebody and is left as it is")
    out.print(f"next: whyrec ingest --config {folder / 'whyrec.toml'}", soft_wrap=True)
