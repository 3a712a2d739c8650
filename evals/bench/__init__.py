"""Speed and quality against peers, measured in one run: one module each, one line in the table.

A module has `run(*, quick, cache, workspace, progress) -> list[Figure]`. `quick` is a small run that shows
that everything works; its figures are not worth quoting. `cache` is a folder for what is costly to make.
"""

from __future__ import annotations

BENCHES: dict[str, str] = {
    "recall": "evals.bench.recall",
    "recall-quality": "evals.bench.recall_quality",
    "rank": "evals.bench.rank",
    "knowledge": "evals.bench.knowledge",
    "merge": "evals.bench.merge",
    "metrics": "evals.bench.metrics",
}
"""Name → module."""
