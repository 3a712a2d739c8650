"""Folders that are made beside, synced, then made current by one rename: data builds and artefacts.

A parent folder holds one sub-folder per generation and a small file CURRENT with the name of the one in
use. A reader sees the old or the new, never a mixture; a crash at any point leaves the previous one.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from recall.errors import NotFound

_POINTER = "CURRENT"
_ABANDONED = 3600
"""Seconds after which a pointer that was not renamed belongs to nobody: `use` takes no lock."""
_NAME = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9a-z]{1,12}")


class Generations:
    """The generations under one folder, which need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Names of the complete generations, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(p.name for p in self.folder.iterdir() if p.is_dir() and _NAME.fullmatch(p.name))

    def current(self) -> Path:
        """The folder in use; NotFound when nothing was made current yet."""
        try:
            name = (self.folder / _POINTER).read_text().strip()
        except FileNotFoundError:
            raise NotFound(f"{self.folder}: nothing here yet") from None
        if not _NAME.fullmatch(name) or not (self.folder / name).is_dir():
            raise NotFound(f"{self.folder / _POINTER} names {name!r}, which is gone; have {self.names()}")
        return self.folder / name

    @contextmanager
    def new(self, suffix: str) -> Iterator[Path]:
        """A fresh folder to fill. On success it is synced and renamed into place (not yet current).

        The yielded path ends in '.part'; after the block the generation is `path.with_suffix("")`.
        On an exception what was written is removed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{suffix}"
        while (self.folder / name).exists():
            name += "x"
        part = self.folder / f"{name}.part"
        part.mkdir()
        try:
            yield part
            _sync_tree(part)
            part.rename(self.folder / name)
            _sync(self.folder)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise

    def use(self, name: str) -> Path:
        """Make a complete generation current: one rename."""
        if name not in self.names():
            raise NotFound(f"{self.folder}: no {name!r}; have {', '.join(self.names()) or 'none'}")
        pointer = self.folder / f"{_POINTER}.{os.getpid()}"
        pointer.write_text(name + "\n")
        _sync(pointer)
        pointer.replace(self.folder / _POINTER)
        _sync(self.folder)
        return self.folder / name

    def prune(self, keep: int, *, needed: Collection[str] = ()) -> list[str]:
        """Remove all but the newest `keep` generations, the current one and those `needed`; returns the
        names removed."""
        stay = {self.current().name, *needed}
        old = [name for name in self.names()[:-keep] if name not in stay]
        for name in old:
            shutil.rmtree(self.folder / name)
        return old

    def sweep(self) -> None:
        """Remove what a killed writer left behind. Call only while holding the writers' lock."""
        if self.folder.is_dir():
            for part in self.folder.glob("*.part"):
                shutil.rmtree(part, ignore_errors=True)
            for pointer in self.folder.glob(f"{_POINTER}.*"):
                with suppress(OSError):
                    if time.time() - pointer.stat().st_mtime > _ABANDONED:
                        pointer.unlink()


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
