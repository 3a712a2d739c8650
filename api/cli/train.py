"""`whyrec train`: fit the recallers on the current build and make the artefact current."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import Config, Json

if TYPE_CHECKING:
    from api.settings import Settings
    from evals.fit.tune import Tuned
    from recall.train_config import TrainConfig
    from recall.workspace import Workspace


def train(
    config: Config = None,
    json: Json = False,
    seed: Annotated[int | None, typer.Option("--seed", help="Instead of [train] seed.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for another training to end.")] = False,
    tune: Annotated[
        bool,
        typer.Option("--tune", help="First look for factors, regularization, alpha and half-life."),
    ] = False,
    seconds: Annotated[float, typer.Option("--seconds", min=0, help="How long --tune may look.")] = 300,
) -> None:
    """Fit the recallers on the current build.

    The new artefact is verified, then made current; until then, and on any error, the previous one serves.
    Facts that `whyrec extract items` found go in with the items' texts, and where [knowledge] names an
    embeddings endpoint the vectors of changed texts are asked for first.
    Older builds and artefacts that still hold an erased account are removed.
    With --tune settings are tried on each person's last liked item but one, so that tests can use the last;
    the table of trials is kept among the weights, and the artefact is trained with the best one.

    Example: whyrec train --config shop/whyrec.toml
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from api.cli.output import console, print_json
    from api.linking import erased_accounts
    from api.settings import load_settings
    from recall.purge import check_clean, purge
    from recall.train import train as run
    from recall.workspace import Workspace

    settings = load_settings(config)
    workspace, erased = Workspace(settings.workspace), erased_accounts(settings)
    check_clean(workspace, erased)
    chosen = settings.train if seed is None else settings.train.model_copy(update={"seed": seed})

    def show(step: str, done: int, all: int) -> None:
        bar.update(task, description=step, completed=done, total=all)

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)
        tuned = _tune(workspace, chosen, seconds, show) if tune else None
        chosen = tuned.config if tuned else chosen
        _snapshot(settings, workspace, wait, show)
        artefact = run(workspace, chosen, progress=show, wait=wait)
    purge(workspace, erased)
    manifest = artefact.manifest
    if json:
        tried = {"tuned": tuned} if tuned else {}
        print_json({"artefact": artefact.name} | manifest.model_dump(exclude={"files"}) | tried)
        return
    if tuned:
        _show(tuned)
    figures = manifest.figures
    console().print(
        f"artefact {artefact.name} is current: {figures['people']:,.0f} people, "
        f"{figures['items']:,.0f} items ({figures['items_with_factors']:,.0f} with factors), "
        f"{figures['interactions']:,.0f} interactions, "
        f"{chosen.factors} factors, {figures['seconds']:.1f} s"
    )


def _snapshot(
    settings: Settings, workspace: Workspace, wait: bool, show: Callable[[str, int, int], None]
) -> None:
    """Hand the store's knowledge to recall, where something changed."""
    from api.migrations import open_migrated
    from recall.errors import ModelError, NotFound
    from recall.trainer import training_lock
    from rerank.knowledge.snapshot import write_snapshot

    try:
        build = workspace.builds.current()
    except NotFound as error:
        raise NotFound(f"{error}; run `whyrec ingest` first") from error

    try:
        with (
            training_lock(workspace.knowledge, wait_for_it=wait),
            open_migrated(settings.store.resolve(workspace.store_file)) as store,
        ):
            workspace.knowledge.sweep()
            store.run(write_snapshot(workspace, build, store, settings.knowledge, show))
    except ModelError as error:
        raise ModelError(
            f"{error}. Nothing was trained and the previous artefact stays; what came in is kept: "
            "run `whyrec train` again once the endpoint of [knowledge] embeddings_url answers, or leave "
            "embeddings_url out for TF-IDF",
            error.cause,
        ) from error


def _tune(
    workspace: Workspace, config: TrainConfig, seconds: float, show: Callable[[str, int, int], None]
) -> Tuned:
    from evals.fit.tune import work
    from recall.aside import aside
    from recall.errors import NotFound

    try:
        build = workspace.builds.current()
    except NotFound as error:
        raise NotFound(f"{error}; run `whyrec ingest` first") from error
    tuned = aside(work, build, config, seconds, config.seed, progress=show, what="the tuning process")
    tuned.save(workspace.weights)
    return tuned


def _show(tuned: Tuned) -> None:
    from rich.table import Table

    from api.cli.output import console

    table = Table("factors", "regularization", "alpha", "half-life", "NDCG@10", "95 %", "seconds")
    for trial in tuned.trials[:10]:
        shown = (trial.factors, trial.regularization, trial.alpha, trial.half_life)
        interval = f"{trial.low:.4f} to {trial.high:.4f}"
        table.add_row(*map(str, shown), f"{trial.ndcg:.4f}", interval, f"{trial.seconds:.1f}")
    console().print(table)
    config = tuned.config
    console().print(
        f"{len(tuned.trials)} trials on {tuned.people:,} people's last liked items but one; the half-life is "
        f"kept. To train with them again, put into whyrec.toml:\n[train]\nfactors = {config.factors}\n"
        f"regularization = {config.regularization}\nalpha = {config.alpha}"
    )
