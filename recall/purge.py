"""What of a workspace still holds an erased account, and its removal: old builds and artefacts on them."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from recall.artefact import read_manifest
from recall.errors import ArtefactError, DataError, NotFound
from recall.generations import Generations
from recall.store.tombstones import Tombstones
from recall.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Purged:
    """Names of the builds and artefacts that were removed."""

    builds: tuple[str, ...] = ()
    artefacts: tuple[str, ...] = ()


def holds(build: Path, tombstones: Tombstones) -> bool:
    """Whether a build has an event of an erased account from before its erasure, or the account itself."""
    if not tombstones.at:
        return False
    try:
        events = pq.read_table(build / "events.parquet", columns=["platform", "user", "time"])
        links = pq.read_table(build / "links.parquet", columns=["kind", "platform", "key"])
    except OSError:
        return True  # what can't be read can't be shown to be clean
    for platform in {name for name, _ in tombstones.at}:
        mine = events.filter(pc.equal(events["platform"].cast("string"), platform))
        until = tombstones.erased(platform, pc.unique(mine["user"].cast("string")).to_pylist())
        for user, at in until.items():
            rows = mine.filter(pc.equal(mine["user"].cast("string"), user))
            if pc.min(rows["time"]).as_py() <= at:
                return True
        accounts = links.filter(
            pc.and_(
                pc.equal(links["kind"].cast("string"), "person"),
                pc.equal(links["platform"].cast("string"), platform),
            )
        )
        named = tombstones.erased(platform, accounts["key"].cast("string").to_pylist())
        if named.keys() - until.keys():
            return True
    return False


def check_clean(workspace: Workspace, tombstones: Tombstones) -> None:
    """DataError where the current build still holds an erased account: nothing may be trained on it."""
    try:
        build = workspace.builds.current()
    except NotFound:
        return
    if holds(build, tombstones):
        raise DataError(
            f"build {build.name} was made before the latest erasure: run `whyrec ingest` first, so that what "
            "was erased is not trained again"
        )


def purge(workspace: Workspace, tombstones: Tombstones) -> Purged:
    """Remove builds that hold erased accounts and every artefact on them, but not what is current.

    Called after a training and before a rollback. A running service that has one open goes on with it until
    it takes the current one.
    """
    if not tombstones.at:
        return Purged()
    builds, models = workspace.builds, workspace.models
    keep = {name for name in (_current(builds), _current(models)) if name}
    marked = {name for name in builds.names() if name not in keep and holds(builds.folder / name, tombstones)}
    artefacts = []
    for name in models.names():
        if name in keep:
            with suppress(ArtefactError):
                marked.discard(read_manifest(models.folder / name).build)
            continue
        try:
            build = read_manifest(models.folder / name).build
        except ArtefactError:
            continue
        if build in marked or not (builds.folder / build).is_dir():
            shutil.rmtree(models.folder / name)
            artefacts.append(name)
    for name in marked:
        shutil.rmtree(builds.folder / name)
    return Purged(tuple(sorted(marked)), tuple(sorted(artefacts)))


def _current(generations: Generations) -> str | None:
    try:
        return generations.current().name
    except NotFound:
        return None
