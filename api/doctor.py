"""What is wrong with an installation, and what to do: each check is one function that says what it saw."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from api.settings import Settings
from recall.errors import WhyrecError
from recall.workspace import Workspace

State = Literal["ok", "warning", "wrong"]

_DISK_BYTES = 1 << 30
_OLD_SECONDS = 7 * 86_400
_CLOCK_SECONDS = 300
PROBE_SECONDS = 60.0
"""A model in the process is loaded first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check saw, and, unless all is well, what to do about it."""

    check: str
    state: State
    seen: str
    remedy: str = ""


def examine(settings: Settings, *, probe_model: bool = True) -> list[Finding]:
    """Every check, in the order in which a person would mend. Changes nothing."""
    return [
        _guarded(name, check, settings) for name, check in CHECKS.items() if name != "model" or probe_model
    ]


def _guarded(name: str, check: Callable[[Settings], Finding], settings: Settings) -> Finding:
    """An error that a check meets is what it found."""
    try:
        return check(settings)
    except (WhyrecError, OSError) as error:
        text, _, remedy = str(error).rpartition("; ")
        return Finding(name, "wrong", text or str(error), remedy if text else "")


def _sources(settings: Settings) -> Finding:
    """Whether the files that whyrec.toml names are there."""
    if not settings.platforms:
        return Finding("sources", "wrong", "no platform is configured", "add [platforms.NAME] to whyrec.toml")
    from recall.sources.files import expand

    found = expand(settings.root, settings.platforms)  # refuses what matches nothing
    return Finding("sources", "ok", f"{len(settings.platforms)} platforms, {len(found)} files or tables")


def _store(settings: Settings) -> Finding:
    from sqlalchemy import text

    from api.migrations import HEAD, revision_of
    from recall.store import open_store

    with open_store(settings.store.resolve(Workspace(settings.workspace).store_file)) as store:
        if store.sqlite and not Path(str(store.url.database)).exists():
            return Finding(
                "store", "warning", "the SQLite file is not there yet", "the first command makes it"
            )

        async def look() -> tuple[str | None, object]:
            found = await revision_of(store)
            async with store.write() as connection:  # a read-only file or database fails here
                return found, (await connection.execute(text("SELECT 1"))).scalar()

        revision, _ = store.run(look())
    if revision != HEAD:
        seen = f"its schema is at {revision}, this version's is {HEAD}"
        return Finding("store", "warning", seen, "the next command that opens it upgrades it")
    return Finding("store", "ok", f"reached and writable, schema {revision}")


def _build(settings: Settings) -> Finding:
    import json

    builds = Workspace(settings.workspace).builds
    folder = builds.current()
    made = json.loads((folder / "manifest.json").read_text())
    return Finding("build", "ok", f"{folder.name}, reference time {_day(int(made['reference_time']))}")


def _artefact(settings: Settings) -> Finding:
    from recall.artefact import verify

    workspace = Workspace(settings.workspace)
    artefact = verify(workspace.models.current())
    build = artefact.manifest.build
    if not (workspace.builds.folder / build).is_dir():
        return Finding("artefact", "wrong", f"its build {build} is gone", "run `whyrec train`")
    seen = f"{artefact.name}, every file as it was written"
    if build != workspace.builds.current().name:
        return Finding("artefact", "warning", f"{seen}; a newer build waits", "run `whyrec train`")
    if time.time() - artefact.manifest.trained > _OLD_SECONDS:
        old = _day(artefact.manifest.trained)
        return Finding(
            "artefact", "warning", f"{seen}; trained {old}", "run `whyrec ingest` and `whyrec train`"
        )
    return Finding("artefact", "ok", seen)


def _model(settings: Settings) -> Finding:
    import asyncio

    from rerank.llm import make_model
    from rerank.methods import METHODS, check_needs
    from rerank.types import Capabilities, Deadline

    model = make_model(settings.llm)
    if model is None:
        seen = "[llm] engine = none: answers keep the recall order"
        return Finding("model", "ok", seen)

    async def probe() -> Capabilities:
        try:
            return await model.capabilities(Deadline.after(PROBE_SECONDS))
        finally:
            await model.aclose()

    found = asyncio.run(probe())
    check_needs(METHODS[settings.rank.method], found)
    return Finding("model", "ok", f"{found.model}, context {found.context}, serves {settings.rank.method}")


def _disk(settings: Settings) -> Finding:
    folder = settings.workspace
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    seen = f"{free / (1 << 30):.1f} GB free at {folder}"
    if not os.access(folder, os.W_OK):
        return Finding(
            "disk", "wrong", f"{folder} can't be written", "give this user the right to, or move it"
        )
    if free < _DISK_BYTES:
        return Finding(
            "disk", "warning", seen, "make room: builds and artefacts are written beside the old ones"
        )
    return Finding("disk", "ok", seen)


def _clock(settings: Settings) -> Finding:
    """A clock that was set back makes new events look older than the artefact."""
    now = time.time()
    workspace = Workspace(settings.workspace)
    newest = max(
        (
            folder.stat().st_mtime
            for folder in (workspace.builds.folder, workspace.models.folder)
            if folder.is_dir()
        ),
        default=0.0,
    )
    if newest - now > _CLOCK_SECONDS:
        ahead = f"the workspace was written {newest - now:.0f} s in the future"
        return Finding("clock", "wrong", ahead, "set this machine's clock; events would count at wrong times")
    if now < 1_600_000_000:
        return Finding("clock", "wrong", f"it is {_day(int(now))}", "set this machine's clock")
    return Finding("clock", "ok", f"{_day(int(now))} UTC")


def _keys(settings: Settings) -> Finding:
    from api.keys import list_keys
    from api.migrations import HEAD, revision_of
    from recall.store import open_store

    if settings.security.open:
        return Finding("keys", "warning", "[security] open = true: everybody may ask", "for development only")
    with open_store(settings.store.resolve(Workspace(settings.workspace).store_file)) as store:
        known = store.run(list_keys(store)) if store.run(revision_of(store)) == HEAD else []
    valid = [key for key in known if key.valid(time.time())]
    if not valid:
        return Finding("keys", "warning", "no valid key", "make one: `whyrec keys create NAME`")
    return Finding("keys", "ok", f"{len(valid)} valid")


def _day(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))


CHECKS: dict[str, Callable[[Settings], Finding]] = {
    "sources": _sources,
    "disk": _disk,
    "clock": _clock,
    "store": _store,
    "build": _build,
    "artefact": _artefact,
    "keys": _keys,
    "model": _model,
}
