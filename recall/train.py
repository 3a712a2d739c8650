"""Training from a build to a current artefact, in a process of its own."""

from __future__ import annotations

from pathlib import Path

from recall.artefact import Artefact, activate
from recall.aside import Progress, aside
from recall.errors import NotFound
from recall.train_config import TrainConfig
from recall.trainer import work
from recall.workspace import Workspace

__all__ = ["KEPT", "TrainConfig", "train"]

KEPT = 5
"""Artefacts that stay, the current one aside; older ones are removed after a training."""


def train(
    workspace: Workspace,
    config: TrainConfig,
    *,
    build: Path | None = None,
    progress: Progress | None = None,
    wait: bool = False,
    use: bool = True,
) -> Artefact:
    """Train on `build` (None: the current one), verify the artefact and make it current.

    The work runs in a subprocess with a fresh model, so that neither a crash in native code nor its memory
    reaches the caller. Another training at work is waited for, or refused with ArtefactError. On any
    error the previous artefact stays current. With `use=False` the new one is only verified and kept.
    """
    if build is None:
        try:
            build = workspace.builds.current()
        except NotFound as error:
            raise NotFound(f"{error}; run `whyrec ingest` first") from error
    name = aside(work, workspace.folder, build, config, wait, progress=progress, what="the training process")
    if not use:
        return Artefact.open(workspace.models.folder / name)
    artefact = activate(workspace.models, name)
    workspace.models.prune(KEPT)
    return artefact
