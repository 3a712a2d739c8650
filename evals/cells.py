"""A comparison as rows of texts: what the terminal's table, Markdown and the report's first table show."""

from __future__ import annotations

from collections.abc import Mapping

from evals.comparison import ArmRow, Comparison
from evals.intervals import Interval

_QUALITY = ("NDCG@10", "95 %", "HR@1", "HR@5", "MRR@10")
_TESTED = ("− baseline", "95 %", "p (Holm)", "W/T/L")
HEAD = ("arm", "people", *_QUALITY, *_TESTED, "failed", "tokens", "s p50")
"""Quality is of cases whose target is among the candidates."""

NARROW = (
    "arm",
    "people",
    "NDCG@10 (95 %)",
    "HR@5",
    "− baseline (95 %)",
    "p (Holm)",
    "W/T/L",
    "failed",
    "s p50",
)
"""Of a terminal's table."""


def cells(comparison: Comparison) -> list[tuple[str, ...]]:
    """One row for each arm, as wide as HEAD."""
    return [_cells(comparison, arm) for arm in comparison.arms]


def narrow(comparison: Comparison) -> list[tuple[str, ...]]:
    """As wide as NARROW."""
    return [_narrow(comparison, arm) for arm in comparison.arms]


def told(comparison: Comparison) -> list[str]:
    """What must be known to read the table, one sentence each."""
    data = comparison.data
    split = (
        "global time split: training, links and histories end before the cut"
        if data["split"] == "time"
        else "leave-last-out: histories end before the held-out like, other people's later events may train"
    )
    lines = [
        f"Run {', '.join(comparison.runs)} on build {data['build']}; {split}; the target is the "
        f"{'next' if data.get('target') == 'next' else 'last'} liked item; seed {data['seed']}.",
        f"{comparison.cases:,} people (of {data['eligible']:,} eligible), lists of {comparison.candidates}; "
        f"the target is among them for {comparison.covered:,} ({comparison.covered / comparison.cases:.1%}), "
        f"which the table is about. Pool {comparison.pool[:12]}.",
    ]
    if data.get("set_aside"):
        aside = _counts(data["set_aside"])
        lines.append(f"Set aside before the run: {aside}.")
    if comparison.models:
        served = ", ".join(f"{name}: {model}" for name, model in comparison.models.items())
        lines.append(f"Model as served: {served}. Code {comparison.commit or 'unknown'}.")
    lines.append(
        "Of the whole catalogue by itself, NDCG@10: "
        + ", ".join(f"{name} {found['ndcg@10']:.4f}" for name, found in comparison.alone.items())
        + "."
    )
    smallest = [arm.against.paired.detectable for arm in comparison.arms if arm.against and not arm.fixed]
    if smallest:
        lines.append(
            f"With these people a difference to {comparison.baseline} of {min(smallest):.4f} to "
            f"{max(smallest):.4f} (by arm) would be found with a power of 80 %."
        )
    return lines


def interval(value: Interval) -> str:
    return f"{value.low:.4f} to {value.high:.4f}"


def _cells(comparison: Comparison, arm: ArmRow) -> tuple[str, ...]:
    against, costs = arm.against, arm.costs
    paired = against.paired if against else None
    return (
        arm.name,
        f"{paired.people if paired else arm.people:,}",
        f"{arm.main.mean:.4f}",
        interval(arm.main),
        f"{arm.metrics['hit_rate@1']:.3f}",
        f"{arm.metrics['hit_rate@5']:.3f}",
        f"{arm.metrics['mrr@10']:.4f}",
        f"{paired.difference.mean:+.4f}" if paired else "",
        f"{paired.difference.low:+.4f} to {paired.difference.high:+.4f}" if paired else "",
        f"{against.adjusted:.4f}{' *' if against.significant else ''}" if against else "",
        f"{paired.wins}/{paired.ties}/{paired.losses}" if paired else "",
        "" if arm.fixed else f"{arm.failed}",
        "" if costs is None else f"{costs.prompt + costs.completion:,}",
        "" if costs is None else f"{costs.seconds_p50:.2f}",
    )


def _narrow(comparison: Comparison, arm: ArmRow) -> tuple[str, ...]:
    against, value = arm.against, arm.main
    difference = against.paired.difference if against else None
    wide = dict(zip(HEAD, _cells(comparison, arm), strict=False))
    return (
        arm.name,
        wide["people"],
        f"{value.mean:.3f} ({value.low:.3f}, {value.high:.3f})",
        wide["HR@5"],
        f"{difference.mean:+.3f} ({difference.low:+.3f}, {difference.high:+.3f})" if difference else "",
        wide["p (Holm)"],
        wide["W/T/L"],
        wide["failed"],
        wide["s p50"],
    )


def _counts(counts: object) -> str:
    assert isinstance(counts, Mapping)
    return ", ".join(f"{number} {name}" for name, number in counts.items())


def markdown(comparison: Comparison) -> str:
    """The table and its sentences; arms' names are plain by their pattern, other texts are escaped."""
    lines = [_escaped(line) for line in told(comparison)]
    table = [HEAD, tuple("---" for _ in HEAD), *cells(comparison)]
    rows = ["| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in table]
    return "\n".join(["\n".join(rows), "", *lines]) + "\n"


def _escaped(text: str) -> str:
    for char in ("\\", "|", "<", "*", "`"):
        text = text.replace(char, "\\" + char)
    return " ".join(text.split())
