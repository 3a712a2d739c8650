"""Arms over one pool side by side: quality with intervals, tests against a baseline, segments, costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evals.ask import ASIDE, FAILED, PARTIAL
from evals.beyond import Beyond, beyond
from evals.cases import Pool
from evals.intervals import Interval, bootstrap
from evals.paired import Paired, compare, holm
from evals.reasons_summary import Reasons, reasons
from evals.results import KS, Arm, Results
from evals.stability import Slot, Stability, slots, stability
from recall.errors import ConfigError, DataError
from rerank.llm.prices import Price, load_prices
from rerank.types import Usage

METRIC, K, BASELINE = "ndcg", 10, "recall"


@dataclass(frozen=True, slots=True)
class Costs:
    """Over all rows of an arm; `money` is None where its model has no price."""

    calls: int
    prompt: int
    cached: int
    completion: int
    money: float | None
    seconds_p50: float
    """Of a case, beside recall."""
    seconds_p95: float


@dataclass(frozen=True, slots=True)
class Against:
    """This arm minus the baseline, on the people who have both; `adjusted` is p after Holm over all arms."""

    paired: Paired
    adjusted: float

    @property
    def significant(self) -> bool:
        return self.adjusted < 0.05


@dataclass(frozen=True, slots=True)
class Segment:
    """One arm's NDCG@10 on some of the people, and its difference to the baseline there."""

    kind: str
    name: str
    people: int
    value: Interval
    difference: Interval


@dataclass(frozen=True, slots=True)
class ArmRow:
    """Everything that is said of one arm. Quality is of cases whose target is among the candidates."""

    name: str
    fixed: bool
    model: str | None
    prompt: str | None
    people: int
    """Whose target is among the candidates and for whom there is an order."""
    asked: int
    """Rows."""
    failed: int
    partial: int
    aside: int
    repaired: int
    """Answers in which something had to be filled in or left out."""
    causes: Mapping[str, int]
    main: Interval
    """NDCG@10."""
    everywhere: Interval
    """NDCG@10 over all cases, 0 where recall did not find the target."""
    served: Interval
    """NDCG@10 with recall's order where a call failed."""
    metrics: Mapping[str, float]
    """'ndcg@5' and so on: means."""
    against: Against | None
    """None for the baseline."""
    beyond: Beyond
    segments: tuple[Segment, ...]
    repeats: float | None
    """Standard deviation of the mean NDCG@10 from repeat to repeat; None for one."""
    stability: Stability | None
    slots: tuple[Slot, ...]
    reasons: Reasons | None
    costs: Costs | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The runs over one pool of cases."""

    runs: tuple[str, ...]
    data: Mapping[str, object]
    pool: str
    models: Mapping[str, str]
    commit: str | None
    baseline: str
    cases: int
    covered: int
    """Cases whose target is among the candidates."""
    candidates: int
    alone: Mapping[str, Mapping[str, float]]
    """Source → 'hit_rate@10' and so on of its own list of the whole catalogue."""
    arms: tuple[ArmRow, ...]


def comparisons(
    runs: Sequence[Results], *, baseline: str = BASELINE, prices: Path | None = None, seed: int = 0
) -> list[Comparison]:
    """One comparison for each pool of cases. An arm that several runs over one pool name is called RUN/ARM.

    ConfigError when the baseline is no arm; DataError when no case can tell arms apart.
    """
    pools: dict[str, list[Results]] = {}
    for one in runs:
        pools.setdefault(one.pool.hash, []).append(one)
    return [_comparison(mine, baseline, prices, seed) for mine in pools.values()]


def _comparison(runs: Sequence[Results], baseline: str, prices: Path | None, seed: int) -> Comparison:
    arms = gathered(runs)
    pool = runs[0].pool
    if baseline not in arms:
        raise ConfigError(f"no arm {baseline!r} to compare with; have {', '.join(arms)}")
    base = arms[baseline].values(METRIC, K)
    if not np.isfinite(base).any():
        raise DataError(f"arm {baseline!r}: no case has its target among the candidates, so nothing compares")
    paired = {
        name: _paired(base, arm.values(METRIC, K), seed) for name, arm in arms.items() if name != baseline
    }
    adjusted = dict(zip(paired, holm([one.p for one in paired.values()]), strict=True))
    against = {name: Against(one, adjusted[name]) for name, one in paired.items()}
    known = load_prices(prices if prices is not None else _prices(runs))
    return Comparison(
        runs=tuple(run.name for run in runs),
        data=dict(pool.header),
        pool=pool.hash,
        models={name: served for run in runs for name, served in run.header["models"].items()},
        commit=runs[0].header.get("commit"),
        baseline=baseline,
        cases=len(pool.cases),
        covered=sum(case.slot is not None for case in pool.cases),
        candidates=max(len(case.candidates) for case in pool.cases),
        alone=_alone(pool),
        arms=tuple(_row(arm, base, against.get(name), known, seed) for name, arm in arms.items()),
    )


def gathered(runs: Sequence[Results]) -> dict[str, Arm]:
    """All arms of runs over one pool; a fixed row once, another arm that two runs name as RUN/ARM."""
    count = Counter(name for run in runs for name, arm in run.arms.items() if not arm.fixed)
    found: dict[str, Arm] = {}
    for run in runs:
        for name, arm in run.arms.items():
            called = name if arm.fixed or count[name] == 1 else f"{run.name}/{name}"
            found.setdefault(called, Arm(called, arm.pool, arm.rows))
    return found


def _paired(base: np.ndarray, mine: np.ndarray, seed: int) -> Paired:
    both = np.isfinite(base) & np.isfinite(mine)
    return compare(base[both], mine[both], seed=seed)


def _row(
    arm: Arm, base: np.ndarray, against: Against | None, prices: Mapping[str, Price], seed: int
) -> ArmRow:
    values = arm.values(METRIC, K)
    asked = [row for row in arm.rows if not arm.fixed]
    metrics = {
        f"{name}@{k}": _mean(arm.values(name, k))
        for name in ("ndcg", "hit_rate", "mrr", "map", "precision", "recall", "f1")
        for k in KS
    }
    header = arm.pool.header
    lists = [(arm.case(row), arm.top(row, K)) for row in arm.answered if row["repeat"] == 0]
    return ArmRow(
        name=arm.name,
        fixed=arm.fixed,
        model=next((row["model"] for row in asked if row.get("model")), None),
        prompt=next((row["prompt"] for row in asked if row.get("prompt")), None),
        people=int(np.isfinite(values).sum()),
        asked=len(arm.rows),
        failed=sum(row["status"] == FAILED for row in arm.rows),
        partial=sum(row["status"] == PARTIAL for row in arm.rows),
        aside=sum(row["status"] == ASIDE for row in arm.rows),
        repaired=sum(bool(row.get("repairs")) for row in arm.rows),
        causes=Counter(row["cause"] for row in asked if row["cause"]),
        main=_interval(values, seed),
        everywhere=_everywhere(arm, seed),
        served=_interval(arm.values(METRIC, K, served=True), seed),
        metrics=metrics,
        against=against,
        beyond=beyond(
            [(case, top) for case, top in lists if arm.fixed is False or case.slot is not None],
            arm.pool.items,
            k=K,
            people=int(header.get("people") or 0),
            catalogue=int(header.get("catalogue") or 0),
        ),
        segments=tuple(_segments(arm.pool, values, base, seed)),
        repeats=_between_repeats(arm),
        stability=stability(arm),
        slots=tuple(slots(arm)),
        reasons=reasons(arm),
        costs=None if arm.fixed else _costs(arm, prices),
    )


def _segments(pool: Pool, values: np.ndarray, base: np.ndarray, seed: int) -> list[Segment]:
    found = []
    for kind in ("history", "platforms", "new"):
        names = np.array([case.segments[kind] for case in pool.cases])
        for name in sorted(set(names.tolist()), key=lambda text: (len(text), text)):
            mine = (names == name) & np.isfinite(values) & np.isfinite(base)
            if mine.any():
                difference = bootstrap(values[mine] - base[mine], seed=seed)
                found.append(
                    Segment(kind, name, int(mine.sum()), bootstrap(values[mine], seed=seed), difference)
                )
    return found


def _between_repeats(arm: Arm) -> float | None:
    numbers = sorted({row["repeat"] for row in arm.rows})
    if len(numbers) < 2:
        return None
    means = [
        _mean(Arm(arm.name, arm.pool, tuple(row for row in arm.rows if row["repeat"] == n)).values(METRIC, K))
        for n in numbers
    ]
    return float(np.std(means, ddof=1))


def _costs(arm: Arm, prices: Mapping[str, Price]) -> Costs:
    usage = [Usage(**row["usage"]) for row in arm.rows]
    total = sum(usage, Usage())
    seconds = [row["milliseconds"].get("total", 0.0) / 1000 for row in arm.rows] or [0.0]
    models = {row["model"] for row in arm.rows}
    money = None
    if models <= prices.keys():
        money = sum(prices[row["model"]].of(one) for row, one in zip(arm.rows, usage, strict=True))
    middle, tail = np.quantile(seconds, [0.5, 0.95])
    calls = sum(len(row["calls"]) for row in arm.rows)
    return Costs(calls, total.prompt, total.cached, total.completion, money, float(middle), float(tail))


def _alone(pool: Pool) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for source in ("popular", "als", "recall"):
        places = [case.alone.get(source) for case in pool.cases]
        found[source] = {
            f"hit_rate@{k}": sum(place is not None and place < k for place in places) / len(places)
            for k in (10, 20, 100)
        }
        gains = [1 / np.log2(place + 2) if place is not None and place < K else 0.0 for place in places]
        found[source][f"ndcg@{K}"] = float(np.mean(gains))
    return found


def _prices(runs: Sequence[Results]) -> Path | None:
    named = next(
        (run.header["config"].get("prices") for run in runs if run.header["config"].get("prices")), None
    )
    path = Path(named) if named else None
    return path if path is not None and path.exists() else None


def _interval(values: np.ndarray, seed: int) -> Interval:
    return bootstrap(values[np.isfinite(values)], seed=seed)


def _everywhere(arm: Arm, seed: int) -> Interval:
    """Over all cases. Where covered cases are not answered, the mean of the others times the coverage: the
    cases that recall did not cover must not weigh more than they are."""
    covered = np.array([case.slot is not None for case in arm.pool.cases], bool)
    if np.isfinite(arm.values(METRIC, K)[covered]).all():
        return _interval(arm.everywhere(METRIC, K), seed)
    known, part = _interval(arm.values(METRIC, K), seed), float(covered.mean())
    return Interval(known.mean * part, known.low * part, known.high * part)


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
