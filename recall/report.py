"""What a build did with every row: the counts behind report.json, and the ones that must add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from recall.cleaning import DUPLICATES, SET_ASIDE
from recall.errors import DataError


@dataclass(frozen=True, slots=True)
class FileCount:
    """Rows of one file: read = kept + duplicates + set aside + rejected."""

    platform: str
    source: str
    file: str
    read: int
    kept: int
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Rows that were not kept, by reason code."""
    reused: bool = False
    """Taken from an earlier ingest: the file had not changed."""

    @property
    def duplicates(self) -> int:
        return sum(count for reason, count in self.reasons.items() if reason in DUPLICATES)

    @property
    def set_aside(self) -> int:
        return sum(count for reason, count in self.reasons.items() if reason in SET_ASIDE)

    @property
    def rejected(self) -> int:
        return sum(self.reasons.values()) - self.duplicates - self.set_aside

    def check(self) -> None:
        """DataError when the counts don't add up, which would mean that rows were lost."""
        if self.read != self.kept + sum(self.reasons.values()):
            raise DataError(
                f"{self.file}: {self.read} rows read, but {self.kept} kept and {dict(self.reasons)} left "
                "out; please report this with the file's dialect"
            )

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {
            "duplicates": self.duplicates,
            "set_aside": self.set_aside,
            "rejected": self.rejected,
        }


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What `ingest` returns: the build and what went into it."""

    build: str
    path: Path
    files: tuple[FileCount, ...]
    tables: Mapping[str, int]
    """Rows of each table."""
    reference_time: int
    details: Mapping[str, Any] = field(default_factory=dict)
    """The rest of report.json (recall/report_facts.py)."""

    def as_json(self) -> dict[str, Any]:
        """The content of report.json."""
        return {
            "build": self.build,
            "reference_time": self.reference_time,
            "total": totals(self.files),
            "platforms": {
                platform: totals([file for file in self.files if file.platform == platform])
                for platform in sorted({file.platform for file in self.files})
            },
            "files": [file.as_json() for file in self.files],
            "tables": dict(self.tables),
            **self.details,
        }


def totals(files: Iterable[FileCount]) -> dict[str, Any]:
    """Sums of the files' counts, and their reasons, the commonest first."""
    files = list(files)
    reasons: Counter[str] = Counter()
    for file in files:
        reasons.update(file.reasons)
    names = ("read", "kept", "duplicates", "set_aside", "rejected")
    ordered = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    return {name: sum(getattr(file, name) for file in files) for name in names} | {"reasons": dict(ordered)}
