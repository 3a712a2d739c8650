"""The files that whyrec.toml names, and how a changed one is told from one that was read before."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import Literal

from recall.config import PlatformConfig, Source
from recall.errors import DataError

Kind = Literal["accounts", "events", "items"]
KINDS: tuple[Kind, ...] = ("accounts", "events", "items")

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file (or one database table or query, where `path` is None) of one source section."""

    platform: str
    kind: Kind
    section: int
    """Position of the section among the platform's sections of this kind."""
    source: Source
    name: str
    """As reports and rejects show it: the path relative to whyrec.toml, or the table; never a password."""
    path: Path | None

    @property
    def key(self) -> str:
        """Names this file among all sources, whatever it holds: 16 hex digits."""
        text = "\x1f".join((self.platform, self.kind, str(self.section), self.name))
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells one version of a file from another: size and time where both are equal, else the hash."""

    size: int
    mtime_ns: int
    sha256: str


def expand(root: Path, platforms: Mapping[str, PlatformConfig]) -> list[SourceFile]:
    """Every file of every platform, sorted by name. DataError for a path or glob that matches nothing."""
    found: list[SourceFile] = []
    for platform, config in sorted(platforms.items()):
        for kind in KINDS:
            for section, source in enumerate(getattr(config, kind)):
                where = f"platforms.{platform}.{kind}[{section}]"
                if source.url:
                    name = f"{source.url.split('://', 1)[0]}:{source.table or f'query-{section}'}"
                    found.append(SourceFile(platform, kind, section, source, name, None))
                for path in _match(root, source.paths, where):
                    name = _shown(path, root)
                    found.append(SourceFile(platform, kind, section, source, name, path))
    return ordered(found)


def ordered(files: Iterable[SourceFile]) -> list[SourceFile]:
    """In the order that decides which of two copies of a row is the first."""
    return sorted(files, key=lambda file: (file.platform, file.kind, file.section, file.name))


def fingerprint(path: Path, known: Fingerprint | None = None) -> Fingerprint:
    """The file's fingerprint; the content is read only when size or time differ from `known`."""
    state = path.stat()
    if known and (known.size, known.mtime_ns) == (state.st_size, state.st_mtime_ns):
        return known
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return Fingerprint(state.st_size, state.st_mtime_ns, digest.hexdigest())


def _match(root: Path, patterns: Iterable[str], where: str) -> list[Path]:
    paths: set[Path] = set()
    for pattern in patterns:
        whole = root / Path(pattern).expanduser()
        if has_magic(pattern):
            found = glob(str(whole), recursive=True)  # noqa: PTH207  # Path.glob takes no absolute pattern
            matches = [Path(match) for match in found if Path(match).is_file()]
            if not matches:
                raise DataError(f"{where}: no file matches {pattern!r} in {root}")
            paths.update(matches)
        elif whole.is_file():
            paths.add(whole)
        else:
            raise DataError(f"{where}: no file {pattern!r} in {root}")
    return sorted(paths)


def _shown(path: Path, root: Path) -> str:
    return Path(os.path.relpath(path, root)).as_posix()
