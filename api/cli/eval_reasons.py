"""whyrec eval reasons: how a model's own reasons fare under the check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from api.cli.options import Config, Json

if TYPE_CHECKING:
    from api.settings import Settings
    from evals.reasons import Shares


def reasons(
    rows: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSON lines, one per person; an unfinished one goes on.")
    ],
    people: Annotated[int, typer.Option(min=1, help="How many people of the build, drawn.")] = 50,
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="Recommended items for each.")] = 5,
    language: Annotated[Literal["en", "zh"], typer.Option(help="Of the reasons.")] = "en",
    seconds: Annotated[float, typer.Option(min=1, help="Deadline for each person.")] = 900.0,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    json: Json = False,
    config: Config = None,
) -> None:
    """Let the configured model write reasons for the recall order, and count those that the check supports.

    Example: whyrec eval reasons trial.jsonl --people 50 --config demo/whyrec.toml
    """
    import asyncio
    from dataclasses import asdict

    from api.cli.output import console, print_json
    from api.settings import load_settings

    settings = load_settings(config)
    found = asyncio.run(
        _try(settings, rows, people, seed, {"k": k, "language": language, "seconds": seconds})
    )
    if json:
        print_json(asdict(found))
        return
    out = console()
    out.print(
        f"{found.people} people, {found.places} items: {_share(found.written, found)} written, "
        f"{_share(found.supported, found)} supported; median {found.seconds:.1f} s a person",
        soft_wrap=True,
    )
    for code, count in found.withheld.items():
        out.print(f"withheld, {code}: {_share(count, found)}", soft_wrap=True)
    for cause, count in found.causes.items():
        out.print(f"cause {cause}: {count} people", soft_wrap=True)


def _share(count: int, shares: Shares) -> str:
    return f"{count} ({count / max(1, shares.places):.0%})"


async def _try(settings: Settings, rows: Path, people: int, seed: int, how: dict[str, Any]) -> Shares:
    from api.cli.output import console
    from api.opening import open_pipeline
    from evals.lines import Lines
    from evals.reasons import draw, people_of, shares, try_reasons
    from recall.workspace import Workspace

    drawn = draw(people_of(Workspace(settings.workspace).builds.current()), people, seed)
    lines, notes = Lines(rows), console(stderr=True)
    try:
        async with open_pipeline(settings) as (pipeline, _):
            arm = pipeline.variant(rank=settings.rank.model_copy(update={"method": "keep-order"}))
            done = await try_reasons(
                arm, drawn, lines, progress=lambda n, _: notes.print(f"{n} of {len(drawn)} people"), **how
            )
        return shares(done)
    finally:
        lines.close()
