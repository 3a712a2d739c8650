"""Training from a build to a current artefact, in a process of its own."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import recall.errors
from recall.artefact import Artefact, activate
from recall.errors import ArtefactError, NotFound, WhyrecError
from recall.train_config import TrainConfig
from recall.trainer import Progress, work
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
    name = _in_subprocess(workspace.folder, build, config, wait, progress or _silent)
    if not use:
        return Artefact.open(workspace.models.folder / name)
    artefact = activate(workspace.models, name)
    workspace.models.prune(KEPT)
    return artefact


def _in_subprocess(folder: Path, build: Path, config: TrainConfig, wait: bool, progress: Progress) -> str:
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(theirs, folder, build, config, wait), daemon=True)
    process.start()
    theirs.close()
    try:
        while True:
            kind, *rest = mine.recv()
            if kind == "progress":
                progress(*rest)
            elif kind == "done":
                return str(rest[0])
            else:
                raise _error(*rest)
    except EOFError:
        process.join()
        raise ArtefactError(
            f"the training process ended without an artefact (exit code {process.exitcode}); the previous "
            "one stays in use: look for memory limits, then train again"
        ) from None
    finally:
        if process.is_alive():
            process.join(timeout=5)
            process.kill()
        mine.close()


def _error(kind: str, text: str) -> WhyrecError:
    known = getattr(recall.errors, kind, WhyrecError)
    error: WhyrecError = known(text)
    return error


def _silent(step: str, done: int, all: int) -> None:
    pass
