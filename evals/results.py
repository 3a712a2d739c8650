"""A run read back: header, pool and rows, and each arm's values per person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from evals.ask import ASIDE, FAILED
from evals.cases import Case, Pool
from evals.kernel import METRICS, measure_one
from evals.lines import read_lines
from evals.run import CALLS, POOL, RESULTS, runs_folder
from recall.errors import NotFound

Row = Mapping[str, Any]
KS = (1, 5, 10, 20)


@dataclass(frozen=True)
class Results:
    """One run. `folder` keeps its calls, which only the case browser reads."""

    folder: Path
    header: Row
    pool: Pool
    rows: tuple[Row, ...]

    @classmethod
    def load(cls, folder: Path) -> Results:
        """NotFound when there is no run; DataError when its files are damaged."""
        if not (folder / RESULTS).exists() or not (folder / POOL).exists():
            raise NotFound(f"{folder}: no run here; `whyrec eval run CONFIG` makes one")
        lines = read_lines(folder / RESULTS)
        if not lines:
            raise NotFound(f"{folder}: the run has not begun; `whyrec eval run CONFIG` goes on with it")
        return cls(folder, lines[0], Pool.load(folder / POOL), tuple(lines[1:]))

    @property
    def name(self) -> str:
        return str(self.header["name"])

    @cached_property
    def arms(self) -> dict[str, Arm]:
        """In the order in which they were declared; only those with rows."""
        rows: dict[str, list[Row]] = {name: [] for name in self.header["arms"]}
        for row in self.rows:
            rows[row["arm"]].append(row)
        return {name: Arm(name, self.pool, tuple(mine)) for name, mine in rows.items() if mine}

    def calls(self) -> dict[str, Row]:
        """Prompts and replies by key."""
        path = self.folder / CALLS
        return {row["key"]: row for row in read_lines(path)} if path.exists() else {}


def find_run(workspace: Path, name: str) -> Path:
    """A run's folder by its name in the workspace, or a path to one; NotFound lists what there is."""
    named = runs_folder(workspace) / name
    for folder in (named, Path(name)):
        if (folder / RESULTS).exists():
            return folder
    there = sorted(path.parent.name for path in runs_folder(workspace).glob(f"*/{RESULTS}"))
    raise NotFound(f"no run {name!r}; have {', '.join(there) or 'none'} in {runs_folder(workspace)}")


@dataclass(frozen=True)
class Arm:
    """One arm's rows over a pool. Values are float64[cases] in the pool's order; NaN where there is none."""

    name: str
    pool: Pool
    rows: tuple[Row, ...]

    @property
    def fixed(self) -> bool:
        return "calls" not in self.rows[0]

    @cached_property
    def answered(self) -> tuple[Row, ...]:
        """Rows that count for quality: without failed calls and cases set aside."""
        return tuple(row for row in self.rows if row["status"] not in (FAILED, ASIDE))

    @cached_property
    def by_person(self) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for row in self.answered:
            found.setdefault(row["person"], []).append(row)
        return found

    def values(self, metric: str, k: int, *, served: bool = False) -> np.ndarray:
        """The metric at k of the cases whose target is among the candidates, mean over repeats.

        `served` counts a failed call with the order that was shown instead: recall's.
        """
        rows = tuple(row for row in self.rows if row["status"] != ASIDE) if served else self.answered
        index = {case.person: at for at, case in enumerate(self.pool.cases)}
        covered = [row for row in rows if row["place"] is not None]
        sums, counts = np.zeros(len(index)), np.zeros(len(index))
        if covered:
            at = np.array([index[row["person"]] for row in covered])
            np.add.at(sums, at, _measured(covered)[METRICS.index(metric), KS.index(k)])
            np.add.at(counts, at, 1)
        with np.errstate(invalid="ignore"):
            return sums / np.where(counts > 0, counts, np.nan)

    def everywhere(self, metric: str, k: int) -> np.ndarray:
        """As `values`, and 0 where recall did not find the target: no order of the list could help."""
        found = self.values(metric, k)
        uncovered = np.array([case.slot is None for case in self.pool.cases], bool)
        return np.where(uncovered, 0.0, found)

    def top(self, row: Row, k: int) -> list[str]:
        """Ids of the first k items of a row's order."""
        case = self.case(row)
        return [case.candidates[at].item for at in row["order"][:k]]

    def case(self, row: Row) -> Case:
        return self._cases[row["person"]]

    @cached_property
    def _cases(self) -> dict[str, Case]:
        return {case.person: case for case in self.pool.cases}


def _measured(rows: Sequence[Row]) -> np.ndarray:
    """float64[metrics, KS, rows] of rows whose target has a place."""
    place = np.array([row["place"] for row in rows], np.int32)
    lists = np.arange(max(KS), dtype=np.int32)[None, :].repeat(len(place), axis=0)
    return measure_one(lists, place, KS)
