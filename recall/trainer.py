"""The process that trains: loads a build, fits every recaller, writes one artefact.

It holds the trainers' lock for as long as it writes and ends with its parent, whatever ends that.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np

from recall.artefact import write_artefact
from recall.aside import Progress
from recall.attributes import GROUP, attributes
from recall.dataset import Dataset
from recall.errors import ArtefactError
from recall.factorize import fit_als
from recall.generations import Generations
from recall.recallers import fit_recallers
from recall.train_config import TrainConfig
from recall.workspace import Workspace


def fit_artefact(workspace: Workspace, build: Path, config: TrainConfig, progress: Progress) -> str:
    """Train on a build and write an artefact, not yet current; returns its name."""
    started = time.monotonic()
    progress("reading the build", 0, 1)
    dataset = Dataset.load(build)
    als = fit_als(dataset, config, lambda done, all: progress("factorizing", done, all))
    arrays = fit_recallers(dataset, als, seed=config.seed, progress=progress)
    arrays[GROUP] = attributes(build, dataset)
    progress("writing", 0, 1)
    known = int(np.count_nonzero(arrays["als"]["place"] >= 0))
    with workspace.models.new("als") as part:
        manifest = {
            "build": dataset.build,
            "reference_time": dataset.reference_time,
            "trained": int(time.time()),
            "config": config.model_dump(),
            "versions": {name: version(name) for name in ("whyrec", "implicit", "numpy", "scipy")},
            "platforms": dataset.platforms,
            "figures": {
                "people": len(dataset.persons),
                "items": len(dataset.items),
                "items_with_factors": known,
                "interactions": int(dataset.matrix.nnz),
                "seconds": round(time.monotonic() - started, 3),
            },
        }
        write_artefact(part, manifest=manifest, items=dataset.items, listed=dataset.listed, arrays=arrays)
    return part.stem


@contextmanager
def training_lock(models: Generations, *, wait_for_it: bool) -> Iterator[None]:
    """Held by one trainer of a workspace; the kernel frees it when the process ends, however it ends."""
    models.folder.mkdir(parents=True, exist_ok=True)
    with (models.folder / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait_for_it else fcntl.LOCK_NB))
        except BlockingIOError:
            file.seek(0)
            holder = file.read(20).strip() or "unknown"
            raise ArtefactError(
                f"{models.folder}: another training is at work (process {holder}); wait for it with --wait"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def work(folder: Path, build: Path, config: TrainConfig, wait_for_it: bool, progress: Progress) -> str:
    """Train in this process, which is one of its own; the artefact's name."""
    workspace = Workspace(folder)
    with training_lock(workspace.models, wait_for_it=wait_for_it):
        workspace.models.sweep()
        return fit_artefact(workspace, build, config, progress)
