"""What a build looks like: overlap of the platforms, events over time, links, weights. For report.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from recall.config import MergeConfig
from recall.ids import MICRO
from recall.links.items import Doubt
from recall.links.people import Refused
from recall.sources.connection import literal

DOUBTS = 20
"""Doubtful pairs that a report shows."""
_BUCKETS = 120
"""Points in time that a platform's curve has at most, as a rule."""
_UNITS = (("day", 86_400), ("week", 7 * 86_400), ("month", 30 * 86_400), ("year", 365 * 86_400))
_BINS = 25
"""Bars of the histogram of weights."""
_SETS = 40
"""Combinations of platforms that a report lists, the largest."""


class Notes(Protocol):
    """What linking left open (recall.links.linker.Linker)."""

    @property
    def refused(self) -> Sequence[Refused]: ...

    @property
    def doubts(self) -> Sequence[Doubt]: ...


@dataclass(frozen=True, slots=True)
class Facts:
    """The part of report.json behind the counts; every list is in the order that it is shown in."""

    people: dict[str, Any]
    """`platforms`: persons with events on each; `sets`: how many are on exactly which platforms."""
    items: dict[str, Any]
    """The same of listings."""
    events: dict[str, Any]
    """`unit`, and for each platform [UTC seconds of the unit's start, events]; `types` by platform."""
    links: dict[str, Any]
    """Histogram of confidences by kind and method; keys that linked nobody; doubtful pairs."""
    weights: dict[str, Any]
    """Quantiles and a histogram of interactions' weights, capped and decayed."""
    sparsity: dict[str, Any]
    """Share of (person, item) that has an interaction, and how they are spread."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def describe(build: Path, config: MergeConfig, notes: Notes | None = None) -> Facts:
    """Facts of the tables in `build`; empty tables give zeros and empty lists."""
    import duckdb

    database = duckdb.connect(
        config={"memory_limit": config.memory_limit, "threads": str(config.threads or 2)}
    )
    try:
        for name in ("events", "interactions", "listings", "people", "links"):
            source = literal(str(build / f"{name}.parquet"))
            database.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({source})")
        return _Description(database).facts(notes)
    finally:
        database.close()


class _Description:
    def __init__(self, database: Any) -> None:
        self.database = database

    def facts(self, notes: Notes | None) -> Facts:
        on_items = (
            "(SELECT item, list_sort(list(DISTINCT platform)) AS platforms FROM listings GROUP BY item)"
        )
        return Facts(
            self._overlap("people"), self._overlap(on_items), self._events(), self._links(notes),
            self._weights(), self._sparsity(),
        )  # fmt: skip

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self.database.execute(query).fetchall()
        return found

    def _overlap(self, table: str) -> dict[str, Any]:
        sets = self.rows(
            f"SELECT platforms, count(*) AS n FROM {table} GROUP BY platforms ORDER BY n DESC, platforms"
        )
        every: dict[str, int] = {}
        for platforms, count in sets:
            for platform in platforms:
                every[platform] = every.get(platform, 0) + count
        return {
            "all": sum(count for _, count in sets),
            "in_common": sum(count for platforms, count in sets if len(platforms) > 1),
            "platforms": dict(sorted(every.items())),
            "sets": [{"platforms": platforms, "count": count} for platforms, count in sets[:_SETS]],
        }

    def _events(self) -> dict[str, Any]:
        first, last = self.rows("SELECT min(time), max(time) FROM events")[0]
        span = (last or 0) - (first or 0)
        unit = next((name for name, seconds in _UNITS if span / seconds <= _BUCKETS), "year")
        counted = self.rows(
            "SELECT platform, "
            f"epoch(date_trunc('{unit}', make_timestamp(time * 1000000)))::BIGINT AS at, count(*) "
            "FROM events GROUP BY ALL ORDER BY ALL"
        )
        types = self.rows(
            "SELECT platform, type, count(*), count(*) FILTER (polarity > 0), count(*) FILTER (polarity < 0) "
            "FROM events GROUP BY ALL ORDER BY platform, count(*) DESC, type"
        )
        over_time: dict[str, list[list[int]]] = {}
        for platform, at, count in counted:
            over_time.setdefault(platform, []).append([at, count])
        return {
            "first": first,
            "last": last,
            "unit": unit,
            "over_time": over_time,
            "types": [
                {"platform": platform, "type": type, "events": count, "likes": likes, "dislikes": dislikes}
                for platform, type, count, likes, dislikes in types
            ],
        }

    def _links(self, notes: Notes | None) -> dict[str, Any]:
        found = self.rows(
            "SELECT kind, method, least(floor(confidence * 50), 49)::INTEGER AS bin, count(*) FROM links "
            "WHERE method <> 'own' GROUP BY ALL ORDER BY ALL"
        )
        alone = self.rows("SELECT kind, count(*) FROM links WHERE method = 'own' GROUP BY kind ORDER BY kind")
        return {
            "confidence": [
                {"kind": kind, "method": method, "from": bin / 50, "to": (bin + 1) / 50, "count": count}
                for kind, method, bin, count in found
            ],
            "unlinked": dict(alone),
            "refused_keys": [
                {"method": one.method, "cause": one.cause, "accounts": one.accounts}
                for one in (notes.refused if notes else ())
            ],
            "doubts": len(notes.doubts) if notes else 0,
            "doubtful_pairs": self._doubts(notes.doubts) if notes else [],
        }

    def _doubts(self, doubts: Sequence[Doubt]) -> list[dict[str, Any]]:
        """The pairs with the most events, both sides' titles and years beside them."""
        import pyarrow as pa

        if not doubts:
            return []
        nodes = sorted({node for doubt in doubts for node in (doubt.one, doubt.other)})
        asked = pa.table({"platform": [node[0] for node in nodes], "listing": [node[1] for node in nodes]})
        self.database.register("asked", asked)
        known = {
            (platform, listing): {
                "platform": platform,
                "listing": listing,
                "title": title,
                "year": year,
                "events": n,
            }
            for platform, listing, title, year, n in self.rows(
                "SELECT platform, listing, any_value(title), any_value(year), count(time) FROM asked "
                "JOIN listings USING (platform, listing) "
                "LEFT JOIN events USING (platform, listing) GROUP BY ALL"
            )
        }
        pairs = [
            {
                "one": known[doubt.one],
                "other": known[doubt.other],
                "events": known[doubt.one]["events"] + known[doubt.other]["events"],
                "confidence": doubt.confidence,
                "method": doubt.method,
                "cause": doubt.cause,
            }
            for doubt in doubts
        ]
        return sorted(pairs, key=lambda pair: (-pair["events"], str(pair["one"]), str(pair["other"])))[
            :DOUBTS
        ]

    def _weights(self) -> dict[str, Any]:
        quantiles = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]
        found = self.rows(f"SELECT quantile_cont(weight, {quantiles}) FROM interactions")[0][0]
        top = (found[-1] / MICRO if found else 0) or 1
        bins = self.rows(
            f"SELECT least(floor(weight * {_BINS} / {top * MICRO}), {_BINS - 1})::INTEGER AS bin, count(*) "
            "FROM interactions GROUP BY bin ORDER BY bin"
        )
        counts = dict(bins)
        return {
            "quantiles": dict(
                zip(map(str, quantiles), (round(w / MICRO, 6) for w in found or ()), strict=False)
            ),
            "histogram": [
                {
                    "from": round(top * bin / _BINS, 6),
                    "to": round(top * (bin + 1) / _BINS, 6),
                    "count": counts.get(bin, 0),
                }
                for bin in (range(_BINS) if bins else ())
            ],
        }

    def _sparsity(self) -> dict[str, Any]:
        several = self.rows('SELECT max("group") FROM interactions')[0][0]  # else each pair is there once
        pairs = "(SELECT DISTINCT person, item FROM interactions)" if several else "interactions"
        spread = {
            name: self.rows(
                "SELECT coalesce(sum(n), 0)::BIGINT, count(*), quantile_disc(n, [0.0, 0.5, 0.9, 1.0]) "
                f"FROM (SELECT count(*) AS n FROM {pairs} GROUP BY {name})"
            )[0]
            for name in ("person", "item")
        }
        whole, people, per_person = spread["person"]
        _, items, per_item = spread["item"]
        return {
            "interactions": whole,
            "people": people,
            "items": items,
            "density": whole / (people * items) if people and items else 0.0,
            "per_person": _named(per_person),
            "per_item": _named(per_item),
        }


def _named(quantiles: Sequence[int] | None) -> dict[str, int]:
    names = ("least", "median", "ninth_decile", "most")
    return dict(zip(names, quantiles or (0, 0, 0, 0), strict=True))
