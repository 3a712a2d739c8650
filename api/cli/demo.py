"""whyrec demo: from nothing to explained recommendations, each step as the command that it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from api.settings import Settings

PEOPLE, ITEMS = 3, 10
"""How many people are shown, and how many items for each."""


def demo(
    folder: Annotated[
        Path, typer.Argument(help="Where the sample, its workspace and whyrec.toml go.")
    ] = Path("demo"),
) -> None:
    """Fetch sample data, merge, train, check, and recommend to three people. A second run skips what is done.

    Example: whyrec demo demo
    """
    import asyncio

    from api.cli.demo_people import recommend_to
    from api.settings import load_settings

    config = folder / "whyrec.toml"
    _step(f"whyrec data sample {folder}", lambda: _sample(folder))
    settings = load_settings(config)
    _step("whyrec llm pull", lambda: _pull(settings))
    _step(f"whyrec ingest --config {config}", lambda: _ingest(settings, config))
    _step(f"whyrec train --config {config}", lambda: _train(settings, config))
    _step("check: the last liked item of each person, held out", lambda: _check(settings))
    _fusing(settings)
    shown = asyncio.run(recommend_to(settings, PEOPLE, ITEMS))
    _closing(config, shown)


def _step(title: str, run: Callable[[], str | None]) -> None:
    """Announce a step, run it, say how long it took or why it was skipped."""
    import time

    from rich.text import Text

    from api.cli.output import console

    out = console()
    out.print(Text(f"── {title} ", style="bold"))
    began = time.monotonic()
    skipped = run()
    out.print(Text(skipped or f"{time.monotonic() - began:.1f} s", style="dim"))
    out.print()


def _sample(folder: Path) -> str | None:
    from api.cli.output import console
    from recall.sample import make_sample

    if (folder / "whyrec.toml").is_file():
        return "already there"
    out = console(stderr=True)
    with out.status("starting") as status:
        made = make_sample(folder, progress=status.update)
    console().print(
        f"{made.ratings:,} real ratings by {made.persons:,} people (MovieLens 100k), dealt out to three "
        f"simulated platforms: {', '.join(f'{name} {count:,}' for name, count in made.events.items())}"
    )
    return None


def _pull(settings: Settings) -> str | None:
    import os

    from api.cli.output import console
    from recall.errors import NotFound
    from rerank.llm import choose_engine, with_environment
    from rerank.llm.weights import find_weights, pull

    llm = with_environment(settings.llm, os.environ)
    if choose_engine(llm) != "embedded":
        return f"not needed: the {choose_engine(llm)} engine is configured"
    try:
        return f"already there: {find_weights(llm.weights)}"
    except NotFound:
        with console(stderr=True).status("starting") as status:
            path = pull(llm.weights, progress=lambda step, done, _: status.update(f"{step} {done >> 20} MB"))
        console().print(f"{path}: {path.stat().st_size >> 20} MB, checksum verified")
        return None


def _ingest(settings: Settings, config: Path) -> str | None:
    from api.cli.ingest import ingest
    from recall.errors import NotFound
    from recall.workspace import Workspace

    try:
        build = Workspace(settings.workspace).builds.current()
        if (build / "manifest.json").stat().st_mtime > config.stat().st_mtime:
            return f"already there: build {build.name}"
    except NotFound:
        pass
    ingest(config=config)
    return None


def _train(settings: Settings, config: Path) -> str | None:
    from api.cli.train import train
    from recall.artefact import read_manifest
    from recall.errors import NotFound
    from recall.workspace import Workspace

    workspace = Workspace(settings.workspace)
    try:
        artefact = workspace.models.current()
        if read_manifest(artefact).build == workspace.builds.current().name:
            return f"already there: artefact {artefact.name}"
    except NotFound:
        pass
    train(config=config)
    return None


def _check(settings: Settings) -> str | None:
    """Measures, or shows again what was measured on this build with these training settings."""
    import json

    from api.cli.output import console
    from evals.check import check
    from recall.workspace import Workspace

    workspace = Workspace(settings.workspace)
    build, kept = workspace.builds.current(), workspace.folder / "check.json"
    key = [build.name, settings.train.model_dump(mode="json")]
    try:
        known = json.loads(kept.read_text())
    except (OSError, ValueError):
        known = {}
    if known.get("of") == key:
        _show_check(known)
        return "already measured on this build"
    with console(stderr=True).status("training without the held-out items, then looking for them"):
        found = check(build, settings.train)
    rows = [[row.method, row.ndcg.mean, row.ndcg.low, row.ndcg.high, row.hit_rate.mean] for row in found.rows]
    known = {"of": key, "people": found.people, "k": found.k, "rows": rows}
    kept.write_text(json.dumps(known))
    _show_check(known)
    return None


def _show_check(found: dict[str, Any]) -> None:
    from rich.table import Table

    from api.cli.output import console

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"{found['people']:,} people")
    for name in (f"NDCG@{found['k']}", "95 % interval", f"HR@{found['k']}"):
        table.add_column(name, justify="right")
    names = {"popular": "popularity", "als": "ALS", "blend": "all recallers, blended"}
    for method, ndcg, low, high, hits in found["rows"]:
        table.add_row(names.get(method, method), f"{ndcg:.4f}", f"{low:.4f} – {high:.4f}", f"{hits:.4f}")
    console().print(table)


def _fusing(settings: Settings) -> None:
    from rich.text import Text

    from api.cli.fusion import measure, show
    from api.cli.output import console
    from recall.workspace import Workspace

    out = console()
    out.print(Text("── what fusing does", style="bold"))
    show(out, measure(Workspace(settings.workspace).builds.current()))


def _closing(config: Path, account: str | None) -> None:
    import os

    from api.cli.output import console
    from api.settings import load_settings
    from rerank.llm import choose_engine, with_environment

    out = console()
    if choose_engine(with_environment(load_settings(config).llm, os.environ)) == "embedded":
        out.print(
            "The bundled model (135 million parameters) shows the plumbing: it is asked, its order stands "
            "beside recall's, and with weight 0 it moves nothing. Point whyrec at a real endpoint with"
        )
        out.print(
            "  export OPENAI_BASE_URL=http://localhost:8000/v1 OPENAI_API_KEY=… OPENAI_MODEL=…",
            soft_wrap=True,
        )
        out.print(f"  whyrec recommend {account or 'PLATFORM:USER'} --config {config}", soft_wrap=True)
    out.print(f"Serve it: whyrec serve --config {config}", soft_wrap=True)
