"""An evaluation's own world: a workspace with the cut build, the artefact trained on it, and the cases."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from evals.config import CasesConfig
from evals.cut import write_cut
from evals.splits import Held, hold_after, hold_last
from recall.artefact import Artefact, read_manifest
from recall.config import MergeConfig
from recall.dataset import Dataset, knowledge_of
from recall.errors import ArtefactError, DataError, NotFound
from recall.train import train
from recall.train_config import TrainConfig
from recall.weights import FILE as RECALL_WEIGHTS
from recall.workspace import Workspace
from rerank.assembly import Sections

FOLDER = "evals"
"""Under the workspace: runs/NAME and worlds/HASH."""


class EvalSettings(Sections, Protocol):
    """The settings that an evaluation is made of: those of a pipeline, and how builds and artefacts are."""

    @property
    def merge(self) -> MergeConfig: ...
    @property
    def train(self) -> TrainConfig: ...


@dataclass(frozen=True, slots=True)
class Links:
    """Another state of the data, for studies of fusion: which platforms, which items listings stand for."""

    name: str = "as they are"
    platforms: frozenset[str] | None = None
    items: Mapping[tuple[str, str], str] | None = None


@dataclass(frozen=True, slots=True)
class World:
    """A workspace whose current build ends at the cut, and what was held out of the source build."""

    workspace: Workspace
    source: Dataset
    held: Held
    moment: int | None
    """UTC seconds of the cut; None for leave-last-out."""
    reused: bool

    @property
    def artefact(self) -> Artefact:
        return Artefact.open(self.workspace.models.current())


def source_build(workspace: Workspace) -> Path:
    """The build that is evaluated; NotFound says what to do where there is none."""
    try:
        return workspace.builds.current()
    except NotFound as error:
        raise NotFound(f"{error}; run `whyrec ingest` first") from error


def hold(dataset: Dataset, cases: CasesConfig) -> tuple[Held, int | None]:
    """What the split holds out, and its moment."""
    if cases.split == "last":
        return hold_last(dataset, seed=cases.seed), None
    if not len(dataset.event_time):
        raise DataError(f"build {dataset.build} has no events: there is nothing to hold out")
    moment = cases.moment
    if moment is None:
        moment = int(np.quantile(dataset.event_time, cases.cut, method="higher"))
    return hold_after(dataset, moment, seed=cases.seed, last=cases.target == "last"), moment


def prepare(
    settings: EvalSettings,
    cases: CasesConfig,
    *,
    links: Links | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> World:
    """Cut the current build and train on what is left, or take the world that was made of the same before.

    DataError when nobody is left to ask.
    """
    links = links or Links()
    origin = Workspace(settings.workspace)
    build = source_build(origin)
    progress("reading the build")
    dataset = Dataset.load(build)
    held, moment = hold(dataset, cases)
    if not len(held.persons):
        where = "after the cut" if cases.split == "time" else "beside another event"
        raise DataError(f"build {build.name}: nobody has a like to hold out {where}; choose another split")
    knowledge = knowledge_of(build)
    folder = origin.folder / FOLDER / "worlds" / _identity(settings, cases, build, links, origin)
    workspace = Workspace(folder)
    if _whole(workspace):
        return World(workspace, dataset, held, moment, reused=True)
    shutil.rmtree(folder, ignore_errors=True)
    progress("writing the cut build")
    write_cut(
        build,
        dataset,
        held,
        workspace,
        moment=moment,
        half_life_days=settings.merge.half_life_days,
        cap=settings.merge.cap,
        platforms=links.platforms,
        items=links.items,
    )
    if (origin.weights / RECALL_WEIGHTS).exists():
        workspace.weights.mkdir(parents=True, exist_ok=True)
        shutil.copy(origin.weights / RECALL_WEIGHTS, workspace.weights / RECALL_WEIGHTS)
    if knowledge is not None:
        workspace.knowledge.folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(knowledge, workspace.knowledge.folder / knowledge.name)
        workspace.knowledge.use(knowledge.name)
    progress("training on what is left")
    train(workspace, settings.train)
    return World(workspace, dataset, held, moment, reused=False)


def _whole(workspace: Workspace) -> bool:
    """Whether the world was finished: its artefact is current and stands on a build that is there."""
    try:
        manifest = read_manifest(workspace.models.current())
    except (NotFound, ArtefactError):
        return False
    return (workspace.builds.folder / manifest.build).is_dir()


def _identity(
    settings: EvalSettings, cases: CasesConfig, build: Path, links: Links, origin: Workspace
) -> str:
    weights = origin.weights / RECALL_WEIGHTS
    knowledge = knowledge_of(build)
    said = {
        "build": build.name,
        "knowledge": knowledge.name if knowledge is not None else None,
        "manifest": hashlib.sha256((build / "manifest.json").read_bytes()).hexdigest(),
        "cases": cases.model_dump(mode="json", include={"split", "cut", "moment", "target", "seed"}),
        "merge": [settings.merge.half_life_days, settings.merge.cap],
        "train": settings.train.model_dump(),
        "weights": hashlib.sha256(weights.read_bytes()).hexdigest() if weights.exists() else None,
        "platforms": sorted(links.platforms) if links.platforms is not None else None,
        "items": None if links.items is None else sorted([*key, item] for key, item in links.items.items()),
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
