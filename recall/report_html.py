"""report.html: the build's report as one page that needs nothing from anywhere else.

Titles, names and file names come from platforms: everything goes through `text`, which escapes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from recall.report_svg import Bar, columns, curve, day, number, overlap, text

_STYLE = """
:root{color-scheme:light dark;--bg:#fbfbf9;--card:#fff;--ink:#1d2327;--soft:#5b666e;
--line:#e3e6e4;--bar:#5b6b76;--s0:#2b6cb0;--s1:#c2571a;--s2:#2f855a;--s3:#805ad5;--s4:#b7791f;--s5:#b83280}
@media (prefers-color-scheme:dark){:root{--bg:#14181b;--card:#1c2226;--ink:#e6eaec;--soft:#9aa7af;
--line:#2d363c;--bar:#8b9aa5;--s0:#63a4e0;--s1:#ee8b52;--s2:#5fc08e;--s3:#ab8df0;--s4:#e0b050;--s5:#e576b0}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1080px;padding:28px 20px 60px;
background:var(--bg);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:22px;margin:0 0 2px}h2{font-size:17px;margin:34px 0 10px}h3{font-size:14px;margin:0 0 6px}
p{margin:4px 0 10px;color:var(--soft);max-width:76ch}
section{background:var(--card);border:1px solid var(--line);border-radius:8px;
padding:14px 16px;margin:0 0 14px;overflow-x:auto}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(420px,100%),1fr));gap:14px;margin:0 0 14px}
.two section{margin:0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:10px;margin:16px 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 12px}
.tile b{display:block;font-size:20px;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:13px}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;padding:5px 10px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:600;font-size:13px;white-space:nowrap}tr:last-child td{border-bottom:0}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}td.w{overflow-wrap:anywhere}
tr.sum td{font-weight:600}
svg{width:100%;height:auto;display:block}
svg text{font:12px system-ui,sans-serif;fill:var(--ink)}svg .tick{fill:var(--soft);font-size:11px}
.grid{stroke:var(--line)}.join{stroke:var(--bar);stroke-width:2}.off{fill:var(--line)}.bar{fill:var(--bar)}
.area{opacity:.18}polyline{fill:none;stroke-width:1.8}
.key i{display:inline-block;width:10px;height:10px;border-radius:2px;margin:0 5px 0 12px}
.key{color:var(--soft);font-size:13px}
""" + "".join(
    f".s{n}{{fill:var(--s{n})}}.l{n}{{stroke:var(--s{n})}}.k{n}{{background:var(--s{n})}}" for n in range(6)
)

_HEAD = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    f"<title>whyrec: build report</title><style>{_STYLE}</style></head><body>"
)
_COUNTS = (
    ("read", "read"),
    ("kept", "kept"),
    ("duplicates", "duplicates"),
    ("set_aside", "set aside"),
    ("rejected", "rejected"),
)


def report_page(report: Mapping[str, Any]) -> str:
    """The whole page for the content of report.json (recall/report.py with recall/report_facts.py)."""
    parts = [
        f"<h1>Build {text(report['build'])}</h1>",
        f"<p>Weights decay up to {day(report['reference_time'])}.</p>",
        _tiles(report),
        "<h2>Rows</h2>",
        _section("By platform", _platforms(report)),
        _section("By file", _files(report["files"])),
        "<h2>Platforms</h2>",
        '<div class="two">',
        _overlap("Persons", "persons", report["people"]),
        _overlap("Items", "items", report["items"]),
        "</div>",
        _over_time(report["events"]),
        _section("Kinds of events", _types(report["events"]["types"])),
        "<h2>Links</h2>",
        '<div class="two">',
        _confidence("Accounts joined to persons", "person", report["links"]),
        _confidence("Listings joined to items", "item", report["links"]),
        "</div>",
        _refused(report["links"]["refused_keys"]),
        _doubts(report["links"]),
        "<h2>Interactions</h2>",
        '<div class="two">',
        _weights(report["weights"]),
        _sparsity(report["sparsity"]),
        "</div>",
    ]
    return _HEAD + "\n".join(part for part in parts if part) + "</body></html>\n"


def _tiles(report: Mapping[str, Any]) -> str:
    rows = report["tables"]
    shown = [
        (rows["people"], "persons"),
        (rows["items"], "items"),
        (rows["events"], "events"),
        (rows["interactions"], "interactions"),
        (report["people"]["in_common"], "persons on several platforms"),
        (report["items"]["in_common"], "items on several platforms"),
    ]
    tiles = "".join(f'<div class="tile"><b>{number(n)}</b><span>{name}</span></div>' for n, name in shown)
    return f'<div class="tiles">{tiles}</div>'


def _platforms(report: Mapping[str, Any]) -> str:
    rows = [
        [text(name), *(number(counts[key]) for key, _ in _COUNTS), _reasons(counts["reasons"])]
        for name, counts in [*report["platforms"].items(), ("all", report["total"])]
    ]
    heads = ["platform", *(head for _, head in _COUNTS), "why rows were left out"]
    return _table(heads, rows, numbers=range(1, 6), last_is_sum=True)


def _files(files: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            text(file["platform"]),
            text(file["source"]),
            text(file["file"]) + (" (unchanged)" if file["reused"] else ""),
            *(number(file[key]) for key, _ in _COUNTS),
            _reasons(file["reasons"]),
        ]
        for file in files
    ]
    heads = ["platform", "source", "file", *(head for _, head in _COUNTS), "why rows were left out"]
    return _table(heads, rows, numbers=range(3, 8))


def _reasons(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{text(reason.replace('_', ' '))} {number(count)}" for reason, count in reasons.items())


def _overlap(title: str, things: str, facts: Mapping[str, Any]) -> str:
    names = list(facts["platforms"])
    sets = [(frozenset(one["platforms"]), one["count"]) for one in facts["sets"]]
    chart = overlap(names, sets, facts["all"])
    each = ", ".join(f"{text(name)} {number(count)}" for name, count in facts["platforms"].items())
    note = f"<p>On each platform: {each}. {number(facts['in_common'])} of {number(facts['all'])} {things} "
    note += "are on several.</p>"
    return _section(title, note + chart if names else "<p>None.</p>")


def _over_time(events: Mapping[str, Any]) -> str:
    if not events["over_time"]:
        return ""
    ends = [at for points in events["over_time"].values() for at, _ in points]
    charts = [
        f"<section><h3>{text(platform)}</h3>{curve(points, min(ends), max(ends), shade=at)}</section>"
        for at, (platform, points) in enumerate(events["over_time"].items())
    ]
    return f'<h2>Events by {text(events["unit"])}</h2><div class="two">{"".join(charts)}</div>'


def _types(types: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            text(one["platform"]),
            text(one["type"]),
            *(number(one[key]) for key in ("events", "likes", "dislikes")),
        ]
        for one in types
    ]
    return _table(["platform", "type", "events", "likes", "dislikes"], rows, numbers=range(2, 5))


def _confidence(title: str, kind: str, links: Mapping[str, Any]) -> str:
    mine = [one for one in links["confidence"] if one["kind"] == kind]
    alone = links["unlinked"].get(kind, 0)
    note = f"<p>{number(sum(one['count'] for one in mine))} joined, {number(alone)} stand alone.</p>"
    methods = sorted({one["method"] for one in mine})
    bars = []
    for one in sorted(mine, key=lambda one: (one["from"], one["method"])):
        span = f"{one['from']:.2f} to {one['to']:.2f}"
        hint = f"{one['method']}, {span}: {number(one['count'])}"
        bars.append(Bar(f"{one['from']:.2f}", one["count"], methods.index(one["method"]), hint))
    key = "".join(f'<i class="k{at % 6}"></i>{text(method)}' for at, method in enumerate(methods))
    return _section(title, note + columns(bars) + (f'<div class="key">{key}</div>' if key else ""))


def _refused(keys: Sequence[Mapping[str, Any]]) -> str:
    if not keys:
        return ""
    causes = {"shared": "too many accounts of one platform have it", "chain": "keys chain too many accounts"}
    rows = [[text(one["method"]), causes[one["cause"]], number(one["accounts"])] for one in keys[:20]]
    note = f"<p>{number(len(keys))} keys or chains of keys: that many accounts are no person.</p>"
    return _section(
        "Keys that joined nobody", note + _table(["kind", "cause", "accounts"], rows, numbers=[2])
    )


def _doubts(links: Mapping[str, Any]) -> str:
    if not links["doubts"]:
        return ""
    rows = []
    for pair in links["doubtful_pairs"]:
        cause = "would join two works" if pair["cause"] == "cluster" else "not sure enough"
        facts = [number(pair["events"]), f"{pair['confidence']:.2f}", f"{text(pair['method'])}: {cause}"]
        rows.append([_listing(pair["one"]), _listing(pair["other"]), *facts])
    note = f"<p>{number(links['doubts'])} pairs of listings may be one work and were left apart. "
    note += "<code>whyrec links review</code> asks about them, those with the most events first.</p>"
    heads = ["one", "other", "events", "confidence", "why"]
    return _section("Doubtful pairs", note + _table(heads, rows, numbers=[2, 3]))


def _listing(one: Mapping[str, Any]) -> str:
    year = f" ({text(one['year'])})" if one["year"] is not None else ""
    where = f"<small>{text(one['platform'])} {text(one['listing'])}</small>"
    return f"{text(one['title'] or '(no title)')}{year}<br>{where}"


def _weights(weights: Mapping[str, Any]) -> str:
    bars = [
        Bar(
            f"{one['from']:.2g}", one["count"], 0, f"{one['from']:g} to {one['to']:g}: {number(one['count'])}"
        )
        for one in weights["histogram"]
    ]
    found = weights["quantiles"]
    note = ""
    if found:
        note = (
            f"<p>After decay and cap, from {found['0.0']:g} to {found['1.0']:g}; half lie between "
            f"{found['0.25']:g} and {found['0.75']:g}.</p>"
        )
    return _section("Weights", note + columns(bars))


def _sparsity(facts: Mapping[str, Any]) -> str:
    note = (
        f"<p>{number(facts['interactions'])} of {number(facts['people'])} × {number(facts['items'])} pairs "
        f"of person and item have an interaction: {facts['density']:.3%}.</p>"
    )
    names = (
        ("least", "least"),
        ("median", "median"),
        ("ninth_decile", "nine in ten at most"),
        ("most", "most"),
    )
    rows = [[label, number(facts["per_person"][key]), number(facts["per_item"][key])] for key, label in names]
    return _section(
        "Sparsity", note + _table(["", "items of a person", "persons of an item"], rows, numbers=[1, 2])
    )


def _section(title: str, body: str) -> str:
    return f"<section><h3>{text(title)}</h3>{body}</section>"


def _table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Iterable[int], last_is_sum: bool = False
) -> str:
    """Cells are markup already."""
    right = set(numbers)
    head = "".join(f"<th{_right(at in right)}>{text(name)}</th>" for at, name in enumerate(heads))
    body = []
    for place, row in enumerate(rows):
        whole = ' class="sum"' if last_is_sum and place == len(rows) - 1 else ""
        cells = "".join(f"<td{_right(at in right) or ' class=w'}>{cell}</td>" for at, cell in enumerate(row))
        body.append(f"<tr{whole}>{cells}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _right(yes: bool) -> str:
    return ' class="n"' if yes else ""
