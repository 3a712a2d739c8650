"""Small charts as inline SVG: text in, markup out; every text is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

_WIDTH, _LEFT, _BOTTOM, _TOP = 460, 52, 22, 10


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart; `shade` picks one of the page's series colours."""

    label: str
    value: float
    shade: int = 0
    note: str = ""
    """What a pointer over it shows; the label and value where it is empty."""


def columns(bars: Sequence[Bar], *, height: int = 150) -> str:
    """Upright bars with a scale; the labels of the first, middle and last, or of all where few."""
    if not bars:
        return ""
    top = max(bar.value for bar in bars) or 1
    plot = height - _TOP - _BOTTOM
    step = (_WIDTH - _LEFT) / len(bars)
    wide = max(min(step - 2, 36), 1)
    parts = [_scale(top, plot)]
    shown = set(range(len(bars))) if len(bars) <= 12 else {0, len(bars) // 2, len(bars) - 1}
    for at, bar in enumerate(bars):
        tall = plot * bar.value / top
        x, y = _LEFT + step * at + (step - wide) / 2, _TOP + plot - tall
        parts.append(
            f'<rect class="s{bar.shade % 6}" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}">'
            f"<title>{text(bar.note or f'{bar.label}: {number(bar.value)}')}</title></rect>"
        )
        if at in shown:
            parts.append(
                f'<text class="tick" x="{x + wide / 2:.1f}" y="{height - 6}" text-anchor="middle">'
                f"{text(bar.label)}</text>"
            )
    return _svg(height, parts)


def curve(points: Sequence[tuple[int, int]], first: int, last: int, *, shade: int, height: int = 110) -> str:
    """Counts over time (UTC seconds) as an area from `first` to `last`, the same for all platforms."""
    if not points:
        return ""
    top = max(count for _, count in points) or 1
    plot, span = height - _TOP - _BOTTOM, max(last - first, 1)
    parts = [_scale(top, plot)]
    room = _WIDTH - _LEFT - 8
    placed = [(_LEFT + room * (at - first) / span, _TOP + plot * (1 - count / top)) for at, count in points]
    if len(placed) == 1:
        parts.append(f'<circle class="s{shade % 6}" cx="{placed[0][0]:.1f}" cy="{placed[0][1]:.1f}" r="3"/>')
    else:
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        floor = f"{placed[-1][0]:.1f},{_TOP + plot} {placed[0][0]:.1f},{_TOP + plot}"
        parts.append(f'<polygon class="s{shade % 6} area" points="{line} {floor}"/>')
        parts.append(f'<polyline class="l{shade % 6}" points="{line}"/>')
    for at, anchor in ((first, "start"), (last, "end")):
        x = _LEFT if anchor == "start" else _WIDTH - 8
        parts.append(f'<text class="tick" x="{x}" y="{height - 6}" text-anchor="{anchor}">{day(at)}</text>')
    return _svg(height, parts)


def overlap(names: Sequence[str], sets: Sequence[tuple[frozenset[str], int]], whole: int) -> str:
    """Which combinations of platforms how many are on: a dot for each platform, a bar for the count."""
    if not sets:
        return ""
    row, column = 24, 26
    head = 14 + 7 * max(len(name) for name in names)
    left = column * len(names) + 16
    most = max(count for _, count in sets)
    height = head + row * len(sets) + 6
    parts = []
    for at, name in enumerate(names):
        x, foot = column * at + 16, head - 8
        parts.append(
            f'<text class="name" x="{x}" y="{foot}" transform="rotate(-55 {x} {foot})">{text(name)}</text>'
        )
    for line, (members, count) in enumerate(sets):
        y = head + row * line + row // 2
        inside = [column * at + 14 for at, name in enumerate(names) if name in members]
        if len(inside) > 1:
            parts.append(f'<line class="join" x1="{inside[0]}" x2="{inside[-1]}" y1="{y}" y2="{y}"/>')
        for at, name in enumerate(names):
            dot = f"s{at % 6}" if name in members else "off"
            parts.append(
                f'<circle class="{dot}" cx="{column * at + 14}" cy="{y}" r="{6 if name in members else 3}"/>'
            )
        wide = (_WIDTH - left - 96) * count / most
        share = f"{number(count)} ({count / whole:.0%})" if whole else number(count)
        label = " and ".join(sorted(members))
        parts.append(
            f'<rect class="bar" x="{left}" y="{y - 7}" width="{max(wide, 1):.1f}" height="14" rx="2">'
            f"<title>{text(f'only {label}: {share}')}</title></rect>"
            f'<text class="value" x="{left + max(wide, 1) + 6:.1f}" y="{y + 4}">{share}</text>'
        )
    return _svg(height, parts)


def number(value: float) -> str:
    """1234567 → '1,234,567'; fractions short."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3g}"


def day(at: int) -> str:
    """UTC seconds as a date; what no calendar holds as a number."""
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"
    except (ValueError, OverflowError, OSError):
        return number(at)


def moment(at: int) -> str:
    """UTC seconds as a date and time; what no calendar holds as a number."""
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return number(at)


def text(value: object) -> str:
    """Untrusted text for HTML: escaped, without control characters and direction overrides."""
    plain = "".join(char if char.isprintable() else " " for char in str(value))
    return escape(plain, quote=True)


def _scale(top: float, plot: float) -> str:
    lines = []
    for share in (0.0, 0.5, 1.0):
        y = _TOP + plot * (1 - share)
        lines.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        if share:
            label = number(round(top * share) if top >= 10 else top * share)
            lines.append(
                f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
            )
    return "".join(lines)


def _svg(height: float, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img">{"".join(parts)}</svg>'
