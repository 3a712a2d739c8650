"""A gate for continuous integration: a run must not be significantly worse than a recorded one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from evals.comparison import METRIC, K
from evals.paired import Paired, compare, holm
from evals.results import Arm, Results
from recall.errors import ConfigError

FAILED_MORE = 0.05
"""A share of failed calls that is higher by more than this fails the gate too."""


class ArmBaseline(BaseModel):
    """What an arm reached, in the order of the pool's cases."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    values: list[float | None]
    """NDCG@10 as served, so that a failed call counts with recall's order; None for cases not asked."""
    failed: float
    """Share of rows whose calls failed."""


class Baseline(BaseModel):
    """The file that CI keeps. It holds no person's id."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pool: str
    arms: dict[str, ArmBaseline]

    @classmethod
    def of(cls, results: Results) -> Baseline:
        made = {name: _measured(arm) for name, arm in results.arms.items() if not arm.fixed}
        return cls(pool=results.pool.hash, arms=made)

    @classmethod
    def load(cls, path: Path) -> Baseline:
        """ConfigError when it can't be read."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise ConfigError(
                f"{path}: no baseline can be read from it ({error}); write one with --update"
            ) from error

    def save(self, path: Path) -> None:
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        part.replace(path)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One arm against the baseline; `why` is None when it passes."""

    arm: str
    paired: Paired
    adjusted: float
    failed_before: float
    failed_now: float
    why: str | None


def gate(results: Results, baseline: Baseline, *, seed: int = 0) -> list[Verdict]:
    """A verdict for each arm of the baseline. ConfigError when the cases are others or an arm is missing."""
    if results.pool.hash != baseline.pool:
        raise ConfigError(
            f"the baseline stands on pool {baseline.pool[:12]}, the run on {results.pool.hash[:12]}: data, "
            "split or training changed; look at both, then write a new baseline with --update"
        )
    now = Baseline.of(results)
    missing = sorted(baseline.arms.keys() - now.arms.keys())
    if missing:
        raise ConfigError(f"the baseline has an arm {missing[0]!r} that the run has not; run it, or --update")
    pairs = {name: _paired(one, now.arms[name], seed) for name, one in baseline.arms.items()}
    adjusted = holm([one.p for one in pairs.values()])
    return [
        Verdict(
            name,
            paired,
            p,
            baseline.arms[name].failed,
            now.arms[name].failed,
            _why(paired, p, baseline.arms[name].failed, now.arms[name].failed),
        )
        for (name, paired), p in zip(pairs.items(), adjusted, strict=True)
    ]


def _why(paired: Paired, p: float, before: float, now: float) -> str | None:
    if paired.people == 0:
        return "nobody was asked in both"
    if now > before + FAILED_MORE:
        return f"{now:.0%} of its calls failed, {before:.0%} before"
    if p < 0.05 and paired.difference.mean < 0:
        return f"significantly worse (p {p:.4f} after Holm)"
    return None


def _paired(before: ArmBaseline, now: ArmBaseline, seed: int) -> Paired:
    first, second = (np.array(one.values, np.float64) for one in (before, now))
    both = np.isfinite(first) & np.isfinite(second)
    return compare(first[both], second[both], seed=seed)


def _measured(arm: Arm) -> ArmBaseline:
    values = arm.values(METRIC, K, served=True)
    known = [round(float(value), 6) if np.isfinite(value) else None for value in values]
    return ArmBaseline(
        values=known, failed=sum(row["status"] == "failed" for row in arm.rows) / len(arm.rows)
    )
