"""`whyrec ingest --check`: what the sources would become, as a table for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from api.settings import Settings
    from recall.preview import Preview

_CELL = 34
"""Characters of a value that are shown."""


def show_preview(settings: Settings, rows: int, *, json: bool) -> None:
    """Print every source's preview; ends with 1 where one can't be read or most of its rows can't be used."""
    import secrets

    from api.cli.output import console, print_json
    from recall.merge import Inputs
    from recall.preview import preview

    # What is hashed here is thrown away, so any salt will do.
    inputs = Inputs(settings.root, settings.platforms, settings.merge, secrets.token_bytes(32))
    notes = console(stderr=True)
    with notes.status("reading") as status:
        found = preview(inputs, rows=rows, progress=lambda step: status.update(step))
    if json:
        print_json(found)
    else:
        out = console()
        for one in found:
            _show(out, one)
        _conclude(out, found, settings.merge.max_reject_share)
    if any(one.problem for one in found):
        raise typer.Exit(1)


def _show(out: Console, one: Preview) -> None:
    from api.cli.output import plain

    out.print()
    out.print(plain(f"{one.platform} {one.kind}: {one.file}"), style="bold", soft_wrap=True)
    if one.problem:
        out.print(plain(one.problem), style="red", soft_wrap=True)
        return
    part = "all" if one.whole else "the first"
    out.print(f"{part} {one.read:,} rows tried, {one.kept:,} can be used")
    out.print(_columns(one))
    for reason in one.reasons:
        example = plain(reason.raw or "")[:100]
        out.print(plain(f"  {reason.rows:,} {reason.code}, first in row {reason.line}: {example}"))
    if one.unused:
        out.print(plain(f"  not used: {', '.join(one.unused[:20])}"), style="dim")


def _columns(one: Preview) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("becomes", "from column", "filled", "was", "became"):
        table.add_column(name, justify="right" if name == "filled" else "left")
    for each in one.became:
        for at in range(max(len(each.became), 1)):
            first = at == 0
            table.add_row(
                _cut(each.attribute) if first else "",
                _cut(each.column or "(computed)") if first else "",
                f"{each.filled:.0%}" if first else "",
                _cut(each.was[at]) if at < len(each.was) else "",
                _cut(each.became[at]) if at < len(each.became) else "",
            )
    return table


def _cut(text: str) -> str:
    from api.cli.output import plain

    text = plain(text)
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"


def _conclude(out: Console, found: list[Preview], share: float) -> None:
    from recall.cleaning import SET_ASIDE

    read = sum(one.read for one in found)
    left_out = sum(reason.rows for one in found for reason in one.reasons if reason.code not in SET_ASIDE)
    broken = sum(one.problem is not None for one in found)
    out.print()
    if broken:
        out.print(f"{broken} of {len(found)} sources can't be read; nothing was written", style="red")
    elif read and left_out > share * read:
        text = f"{left_out / read:.1%} of the rows can't be used, more than the {share:.1%} that ingest takes"
        out.print(f"{text}; nothing was written", style="yellow")
    else:
        out.print(f"{len(found)} sources can be read; nothing was written")
