"""A comparison as one HTML file that needs nothing else: no server, no network."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evals.comparison import Comparison
from evals.report.data import report_data
from evals.results import Results

_HERE = Path(__file__).parent


def write_report(path: Path, comparisons: Sequence[Comparison], runs: Sequence[Results]) -> None:
    """Write the file by one rename. `runs` are those that the comparisons were made of."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(page(report_data(comparisons, runs)), encoding="utf-8")
    part.replace(path)


def page(data: Any) -> str:
    """The page. Titles, prompts and replies reach it only as JSON, and the script only as text nodes."""
    parts = {name: (_HERE / f"page.{name}").read_text(encoding="utf-8") for name in ("html", "css", "js")}
    whole = parts["html"].replace("/*CSS*/", parts["css"]).replace("/*JS*/", parts["js"])
    head, _, tail = whole.partition("/*DATA*/")
    return head + safe_json(data) + tail


def safe_json(data: Any) -> str:
    """JSON that can't end the script block it stands in, whatever its texts hold; NaN becomes null."""
    from pydantic_core import to_jsonable_python

    text = json.dumps(to_jsonable_python(data, inf_nan_mode="null"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
