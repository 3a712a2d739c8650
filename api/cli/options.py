"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="WHYREC_CONFIG",
        help="The configuration file.  [default: ./whyrec.toml]",
        show_default=False,
    ),
]
"""For `api.settings.load_settings`; None is ./whyrec.toml."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
