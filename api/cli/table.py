"""A recommendation as a table for people: what, where, the model's place beside it, why, on what evidence."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from api.cli.output import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from rerank.types import Evidence, Provenance, RankedItem, Recommendation


def show(console: Console, recommendation: Recommendation) -> None:
    """Print the items and the line of provenance."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0), expand=True)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("model #", justify="right", no_wrap=True)
    table.add_column("title, where listed", ratio=2)
    table.add_column("why, and what it rests on", ratio=4)
    for ranked in recommendation.items:
        model_rank = "–" if ranked.model_rank is None else str(ranked.model_rank)
        table.add_row(str(ranked.rank), model_rank, _title(ranked), _why(ranked))
    if recommendation.items:
        console.print(table)
    else:
        console.print("Nothing to recommend: no candidate passed the rules.")
    console.print(provenance_line(recommendation.provenance), style="dim")


def _title(ranked: RankedItem) -> Text:
    from rich.text import Text

    item = ranked.item
    year = f" ({item.year})" if item.year is not None else ""
    return Text.assemble((plain(item.title) + year, "bold"), "\n", (plain(", ".join(item.platforms)), "cyan"))


def _why(ranked: RankedItem) -> Text:
    from rich.text import Text

    if ranked.reason is None:
        return Text("–", style="dim")
    text = Text(plain(ranked.reason.text))
    for evidence in ranked.reason.evidence:
        text.append("\n· " + evidence_line(evidence), style="dim")
    return text


def evidence_line(evidence: Evidence) -> str:
    """Alien, cinema, 1998-03-01 (rating 5)."""
    parts = [evidence.text, evidence.platform, None if evidence.time is None else day(evidence.time)]
    line = ", ".join(plain(part) for part in parts if part)
    if evidence.type is None:
        return line
    value = "" if evidence.value is None else f" {evidence.value:g}"
    return f"{line} ({plain(evidence.type)}{value})"


def day(time: int) -> str:
    """The UTC date of a time in seconds; the bare number where no calendar reaches."""
    try:
        return datetime.fromtimestamp(time, UTC).date().isoformat()
    except (OverflowError, OSError, ValueError):
        return str(time)


def provenance_line(how: Provenance) -> str:
    """Model, prompt, statuses with causes, weight, tokens, milliseconds."""
    prompt = f"{how.prompt}@{(how.prompt_hash or '')[:8]}" if how.prompt else "none"
    order = str(how.rerank_status) + (f" ({how.cause})" if how.cause else "")
    reasons = str(how.reasons_status) + (f" ({how.reasons_cause})" if how.reasons_cause else "")
    counts = ", ".join(f"{name} {count}" for name, count in how.reasons.items() if count)
    stages = ", ".join(f"{name} {spent:.0f}" for name, spent in how.milliseconds.items() if name != "total")
    total = how.milliseconds.get("total", sum(how.milliseconds.values()))
    parts = [
        f"model {plain(how.model) if how.model else 'none'}",
        f"prompt {plain(prompt)}",
        f"order {order}",
        f"reasons {reasons}" + (f": {counts}" if counts else ""),
        f"weight {how.weight:g} ({' for '.join(filter(None, (how.weight_source, how.weight_segment)))})",
        f"{how.usage.prompt} + {how.usage.completion} tokens in {how.calls} calls",
        f"{total:.0f} ms" + (f" ({stages})" if stages else ""),
        f"artefact {how.artefact}",
    ]
    return " · ".join(parts)
