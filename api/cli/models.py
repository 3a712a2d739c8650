"""`whyrec models`: the trained artefacts, and which of them serves."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api.cli.options import Config, Json

app = typer.Typer(no_args_is_help=True, help="Show the trained artefacts; choose the one that serves.")


@app.command("list")
def list_models(config: Config = None, json: Json = False) -> None:
    """Every artefact of the workspace, oldest first.

    Example: whyrec models list
    """
    from datetime import UTC, datetime

    from rich.table import Table

    from api.cli.output import console, print_json
    from api.settings import load_settings
    from recall.artefact import read_manifest
    from recall.errors import ArtefactError, NotFound
    from recall.workspace import Workspace

    models = Workspace(load_settings(config).workspace).models
    try:
        current = models.current().name
    except NotFound:
        current = None
    rows: list[dict[str, Any]] = []
    for name in models.names():
        try:
            manifest = read_manifest(models.folder / name)
        except ArtefactError as error:
            rows.append({"name": name, "current": name == current, "error": str(error)})
            continue
        kept = manifest.model_dump(include={"build", "trained", "config", "figures", "platforms"})
        rows.append({"name": name, "current": name == current, **kept})
    if json:
        print_json(rows)
        return
    if not rows:
        console().print(f"no artefact in {models.folder} yet: run `whyrec train`")
        return
    table = Table("", "artefact", "trained", "build", "factors", "people", "items", "interactions")
    for row in rows:
        mark = "*" if row["current"] else ""
        if "error" in row:
            table.add_row(mark, row["name"], "damaged")
            continue
        counts = [f"{row['figures'].get(key, 0):,.0f}" for key in ("people", "items", "interactions")]
        when = f"{datetime.fromtimestamp(row['trained'], UTC):%Y-%m-%d %H:%M}"
        table.add_row(mark, row["name"], when, row["build"], str(row["config"].get("factors", "")), *counts)
    console().print(table)


@app.command("use")
def use_model(
    name: Annotated[str, typer.Argument(help="As `whyrec models list` shows it.")], config: Config = None
) -> None:
    """Verify an artefact and make it current. A running service answers with it half a second later.

    Example: whyrec models use 20261124T051500-als
    """
    from api.cli.output import console
    from api.linking import erased_accounts
    from api.settings import load_settings
    from recall.artefact import activate
    from recall.purge import purge
    from recall.workspace import Workspace

    settings = load_settings(config)
    workspace = Workspace(settings.workspace)
    purge(workspace, erased_accounts(settings))  # nobody rolls back to what was erased
    artefact = activate(workspace.models, name)
    console().print(f"artefact {artefact.name} is current (every file verified)")
