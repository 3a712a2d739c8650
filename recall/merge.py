"""Ingest: from the sources that whyrec.toml declares to a current build, or to a stated refusal."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from recall.artefact import builds_in_use
from recall.config import MergeConfig, PlatformConfig
from recall.consent_groups import Consent, training_groups
from recall.errors import ConfigError, DataError
from recall.links.keys import VARIABLE, salt_mark
from recall.merge_build import Build, Linker
from recall.merge_engine import Engine, open_engine
from recall.merge_links import own_links, sorted_links
from recall.merge_stage import (
    Stage,
    known_fingerprint,
    load_stage,
    settings_hash,
    stage_folder,
)
from recall.merge_staging import make_stage
from recall.report import BuildReport, totals
from recall.report_facts import Notes, describe
from recall.report_html import report_page
from recall.sources.accounts import key_columns, keyed, with_keys
from recall.sources.database import fetch
from recall.sources.files import SourceFile, expand, fingerprint, ordered
from recall.sources.live import LiveSource
from recall.store.tombstones import Tombstones
from recall.workspace import Workspace

Progress = Callable[[str, int, int], None]
"""Called with a step's name, how many of its parts are done, and of how many."""


_STEPS = ("duplicates", "links", "events", "interactions", "catalogue", "rejects")


@dataclass(frozen=True, slots=True)
class Inputs:
    """The configuration that decides a build."""

    root: Path
    """What relative paths are relative to."""
    platforms: Mapping[str, PlatformConfig]
    merge: MergeConfig = field(default_factory=MergeConfig)
    salt: bytes = field(default=b"", repr=False)
    """What e-mail addresses and phone numbers are hashed with; needed where a source has key columns."""
    tombstones: Tombstones = field(default_factory=Tombstones)
    """Accounts whose rows are set aside."""
    live: LiveSource | None = None
    """The store, where what came in over HTTP is read from."""


def ingest(
    inputs: Inputs,
    workspace: Workspace,
    linker: Linker | None = None,
    consent: Consent | None = None,
    *,
    now: int,
    progress: Progress | None = None,
    notes: Notes | None = None,
    ready: Callable[[], None] | None = None,
) -> BuildReport:
    """Read what changed, merge everything, make the build current and return its report.

    `now` (UTC seconds) is the clock that times are checked against. Without a `linker` every account is a
    person and every listing an item of its own; `notes` is what it left open. Without `consent` a person's
    platforms all serve each other. `ready` is called when the build is complete and on disk, before it is
    made current: what must not be behind it is saved there. DataError when a source can't be read,
    TooManyRejects when more rows than the configuration allows are unusable; then the build that was current
    before stays so.
    """
    report = progress or (lambda step, done, total: None)
    if not any(platform.events for platform in inputs.platforms.values()):
        raise DataError("no platform has an events source; add [[platforms.NAME.events]] to whyrec.toml")
    if keyed(inputs.platforms) and not inputs.salt:
        raise ConfigError(f"a source has key columns, but no salt is given; set {VARIABLE}")
    workspace.folder.mkdir(parents=True, exist_ok=True)
    with _lock(workspace.folder / "ingest.lock"):
        workspace.builds.sweep()
        with open_engine(inputs.merge, workspace.folder / "spill") as engine:
            stages = _stage(inputs, workspace.folder / "staged", engine, report)
            latest = now + inputs.merge.future_hours * 3600
            with workspace.builds.new("data") as part:
                build = Build(engine, part, stages, inputs.platforms, inputs.merge, latest)
                done = iter(range(len(_STEPS)))
                tables = build.write(
                    lambda accounts, listings: (linker or _own)(_with_keys(accounts, stages), listings),
                    lambda links: training_groups(links, consent) if consent else None,
                    lambda step: report(step, next(done), len(_STEPS)),
                )
                facts = describe(part, inputs.merge, notes)
                result = BuildReport(
                    part.stem,
                    part.with_suffix(""),
                    tables.files,
                    tables.rows,
                    tables.reference_time,
                    facts.as_json(),
                )
                _check_counts(result)
                _write_json(part / "report.json", result.as_json())
                (part / "report.html").write_text(report_page(result.as_json()), encoding="utf-8")
                _write_json(part / "manifest.json", _manifest(result, inputs, stages, now))
        if ready:
            ready()
        workspace.builds.use(result.build)
        workspace.builds.prune(inputs.merge.keep_builds, needed=builds_in_use(workspace.models))
        _forget(workspace.folder / "staged", stages)
    report("done", len(_STEPS), len(_STEPS))
    return result


def _stage(inputs: Inputs, staged: Path, engine: Engine, report: Progress) -> list[Stage]:
    """Every source file, staged; unchanged ones as they were."""
    staged.mkdir(exist_ok=True)
    for left in (*staged.glob("*.part"), *staged.glob("*.parquet")):  # of a run that was killed
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    files = expand(inputs.root, inputs.platforms)
    if inputs.live:
        files = ordered([*files, *inputs.live.files(staged, inputs.platforms)])
    stages = []
    for done, file in enumerate(files):
        report(f"reading {file.name}", done, len(files))
        stages.append(_stage_one(inputs, staged, engine, file))
    return stages


def _stage_one(inputs: Inputs, staged: Path, engine: Engine, file: SourceFile) -> Stage:
    fetched = None
    if file.path is None:
        fetched = fetch(file.source, inputs.root, staged / f"{file.key}.parquet", file.name)
        file = replace(file, path=fetched)
    assert file.path is not None
    try:
        found = fingerprint(file.path, known_fingerprint(staged, file))
        extra: dict[str, Any] = {"max_title": inputs.merge.max_title}
        if mark := inputs.tombstones.mark(file.platform):
            extra["erased"] = mark
        if key_columns(file.source):
            extra["salt"] = salt_mark(inputs.salt)
        settings = settings_hash(file, extra)
        folder = stage_folder(staged, file, settings, found)
        if known := load_stage(folder, file):
            return replace(known, reused=True)
        return make_stage(
            engine,
            folder,
            file,
            found,
            max_title=inputs.merge.max_title,
            salt=inputs.salt,
            tombstones=inputs.tombstones,
        )
    finally:
        if fetched:
            fetched.unlink()


def _check_counts(result: BuildReport) -> None:
    for file in result.files:
        file.check()
    kept = sum(file.kept for file in result.files if file.source == "events")
    if kept != result.tables["events"]:
        raise DataError(
            f"{kept} event rows were kept but {result.tables['events']} written; please report this"
        )


def _with_keys(accounts: pa.Table, stages: list[Stage]) -> pa.Table:
    rows = [
        (stage.file.platform, stage.keys, stage.rows if stage.file.kind == "accounts" else None)
        for stage in stages
        if key_columns(stage.file.source)
    ]
    return with_keys(accounts, rows)


def _own(accounts: pa.Table, listings: pa.Table) -> pa.Table:
    return sorted_links(own_links(accounts, "person", "user"), own_links(listings, "item", "listing"))


def _manifest(result: BuildReport, inputs: Inputs, stages: list[Stage], now: int) -> dict[str, Any]:
    config = {name: platform.model_dump(mode="json") for name, platform in inputs.platforms.items()}
    text = json.dumps([config, inputs.merge.model_dump(mode="json")], sort_keys=True)
    return {
        "build": result.build,
        "reference_time": result.reference_time,
        "half_life_days": inputs.merge.half_life_days,
        "cap": inputs.merge.cap,
        "now": now,
        "config_hash": hashlib.sha256(text.encode()).hexdigest()[:16],
        "versions": {name: version(name) for name in ("whyrec", "duckdb", "ibis-framework", "pyarrow")},
        "sources": {f"{s.file.platform}/{s.file.kind}/{s.file.name}": s.fingerprint.sha256 for s in stages},
        "total": totals(result.files),
    }


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=True) + "\n")


def _forget(staged: Path, stages: list[Stage]) -> None:
    """Remove stages that this build does not use."""
    used = {stage.folder.name for stage in stages}
    for entry in staged.iterdir():
        if entry.is_file():
            entry.unlink()
        elif entry.name not in used:
            shutil.rmtree(entry, ignore_errors=True)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """One ingest at a time per workspace; DataError when another runs. The lock dies with its process."""
    import fcntl

    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(f"{path.parent}: another `whyrec ingest` is at work here; wait for it") from error
        file.write(str(os.getpid()))
        file.flush()
        yield
