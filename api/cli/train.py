"""`whyrec train`: fit the recallers on the current build and make the artefact current."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Config, Json


def train(
    config: Config = None,
    json: Json = False,
    seed: Annotated[int | None, typer.Option("--seed", help="Instead of [train] seed.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for another training to end.")] = False,
) -> None:
    """Fit the recallers on the current build.

    The new artefact is verified, then made current; until then, and on any error, the previous one serves.

    Example: whyrec train --config shop/whyrec.toml
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from api.cli.output import console, print_json
    from api.settings import load_settings
    from recall.train import train as run
    from recall.workspace import Workspace

    settings = load_settings(config)
    chosen = settings.train if seed is None else settings.train.model_copy(update={"seed": seed})

    def show(step: str, done: int, all: int) -> None:
        bar.update(task, description=step, completed=done, total=all)

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)
        artefact = run(Workspace(settings.workspace), chosen, progress=show, wait=wait)
    manifest = artefact.manifest
    if json:
        print_json({"artefact": artefact.name} | manifest.model_dump(exclude={"files"}))
        return
    figures = manifest.figures
    console().print(
        f"artefact {artefact.name} is current: {figures['people']:,.0f} people, "
        f"{figures['items']:,.0f} items ({figures['items_with_factors']:,.0f} with factors), "
        f"{figures['interactions']:,.0f} interactions, "
        f"{chosen.factors} factors, {figures['seconds']:.1f} s"
    )
