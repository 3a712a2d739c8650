"""The merge of the bench's three platforms as one would write it by hand in Polars: the other peer.

Same rules and results as evals/bench/merge_duckdb.py. Polars has no MD5: event ids are made by hashlib.
"""

from __future__ import annotations

from hashlib import md5
from pathlib import Path

import polars as pl

from evals.bench.merge_world import CAP, EVENTS_PER_DAY, FUTURE_HOURS, HALF_LIFE_DAYS, NEAR_SECONDS, NOW
from recall.ids import SEPARATOR

LATEST = NOW + FUTURE_HOURS * 3600
_LIKE, _NEUTRAL, _DISLIKE = pl.lit(1, pl.Int8), pl.lit(0, pl.Int8), pl.lit(-1, pl.Int8)


def _weighed(low: float, high: float) -> list[pl.Expr]:
    """weight and polarity of `value` on a scale."""
    value = pl.col("value")
    return [
        pl.when(value >= high).then(1_000_000).when(value <= low).then(0).otherwise(200_000)
        .cast(pl.Int64).alias("weight"),
        pl.when(value >= high).then(_LIKE).when(value <= low).then(_DISLIKE).otherwise(_NEUTRAL)
        .alias("polarity"),
    ]  # fmt: skip


def _trimmed(*names: str) -> list[pl.Expr]:
    return [pl.col(name).str.strip_chars() for name in names]


def _cinema(world: Path) -> pl.LazyFrame:
    rows = pl.scan_csv(world / "cinema/*.csv", infer_schema=False)
    rows = rows.select(_trimmed("user", "film", "stars", "at"))
    value = pl.col("stars").cast(pl.Float64, strict=False)
    time = pl.col("at").cast(pl.Float64, strict=False).floor().cast(pl.Int64, strict=False)
    rows = rows.select("user", pl.col("film").alias("listing"), value.alias("value"), time.alias("time"))
    rows = rows.filter(pl.col("value").is_between(0.5, 5)).with_columns(_weighed(2, 4))
    return rows.with_columns(platform=pl.lit("cinema"), type=pl.lit("rating"))


def _shop(world: Path) -> pl.LazyFrame:
    rows = pl.scan_csv(world / "shop/*.csv", infer_schema=False)
    rows = rows.select(_trimmed("buyer", "sku", "kind", "pieces", "bought"))
    local = pl.col("bought").str.slice(0, 19).str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False)
    hours = pl.col("bought").str.slice(19, 3).cast(pl.Int64, strict=False)
    value = pl.col("pieces").cast(pl.Float64, strict=False)
    rows = rows.select(
        pl.col("buyer").alias("user"),
        pl.col("sku").alias("listing"),
        pl.col("kind").alias("type"),
        value.alias("value"),
        (local.dt.epoch("s") - hours * 3600).alias("time"),
    )
    rows = rows.filter(
        pl.col("type").is_in(["purchase", "view", "return"]), pl.col("value").is_between(1e-9, 1000)
    )
    each = pl.when(pl.col("type") == "purchase").then(1_000_000).when(pl.col("type") == "view").then(100_000)
    weight = (pl.min_horizontal("value", pl.lit(3.0)) * each.otherwise(0)).round().cast(pl.Int64)
    polarity = pl.when(pl.col("type") == "return").then(_DISLIKE).otherwise(_LIKE)
    return rows.with_columns(weight=weight, polarity=polarity, platform=pl.lit("shop"))


def _stream(world: Path) -> pl.LazyFrame:
    rows = pl.scan_parquet(world / "stream/*.parquet")
    rows = rows.select(
        pl.col("viewer").str.strip_chars().alias("user"),
        pl.col("title").str.strip_chars().alias("listing"),
        pl.col("share").alias("value"),
        (pl.col("at") // 1000).alias("time"),
    )
    rows = rows.filter(pl.col("value").is_between(0, 1)).with_columns(_weighed(0.2, 0.7))
    return rows.with_columns(platform=pl.lit("stream"), type=pl.lit("play"))


def _ids(contents: pl.Series) -> pl.Series:
    return pl.Series(["e" + md5(text.encode(), usedforsecurity=False).hexdigest() for text in contents])


def merge(world: Path, out: Path, *, memory: str, threads: int) -> None:
    """Write events.parquet and interactions.parquet into `out`. Polars knows no limit of memory; its threads
    are set by POLARS_MAX_THREADS."""
    columns = ["platform", "user", "listing", "type", "value", "weight", "polarity", "time"]
    rows = pl.concat([part(world).select(columns) for part in (_cinema, _shop, _stream)])
    keys = pl.concat_str("user", "listing", "type")
    rows = rows.filter(
        pl.col("user") != "",
        pl.col("listing") != "",
        ~keys.str.contains(r"\p{Cc}"),
        pl.col("user").str.len_chars() <= 256,
        pl.col("listing").str.len_chars() <= 256,
        pl.col("time").is_between(0, LATEST),
    ).unique()
    links = pl.scan_parquet(world / "links.parquet")
    for kind, key, target in (("person", "user", "person"), ("item", "listing", "item")):
        mine = links.filter(pl.col("kind") == kind).select(
            "platform",
            pl.col("key").alias(key),
            pl.col("target").alias(target),
            pl.col("confidence").alias(f"c_{kind}"),
        )
        rows = rows.join(mine, on=["platform", key])
    linked = rows.collect(engine="streaming").lazy()
    day = pl.col("time") // 86_400
    daily = linked.group_by("platform", "person", day.alias("day")).agg(pl.len().alias("n"))
    bots = daily.filter(pl.col("n") > EVENTS_PER_DAY).select("platform", "person").unique()
    linked = linked.join(bots, on=["platform", "person"], how="anti")
    micro = (pl.col("value") * 1_000_000).round().cast(pl.Int64).cast(pl.String).fill_null("")
    contents = pl.concat_str("platform", "user", "listing", "type", micro, "time", separator=SEPARATOR)
    linked = linked.with_columns(
        event=contents.map_batches(_ids, return_dtype=pl.String),
        confidence=(pl.col("c_person") * pl.col("c_item")).cast(pl.Float32),
    )
    names = ["event", "person", "item", *columns, "confidence"]
    near = ["person", "item", "type"]
    linked = linked.sort("time", "event")
    gap = pl.col("time").shift(-1).over(near) - pl.col("time")
    events = linked.filter((gap > NEAR_SECONDS).fill_null(True)).select(names).sort("person", "time", "event")
    events.sink_parquet(out / "events.parquet", compression="zstd")
    events = pl.scan_parquet(out / "events.parquet")
    reference = events.select(pl.col("time").max()).collect().item()
    age = (reference - pl.col("time")).cast(pl.Float64) / (HALF_LIFE_DAYS * 86_400)
    decayed = (pl.col("weight") * pl.lit(2.0).pow(-age)).round().cast(pl.Int64)
    liked = events.filter(pl.col("polarity") != -1, pl.col("weight") > 0)
    liked = liked.with_columns(decayed=pl.max_horizontal(decayed, pl.lit(1)))
    summed = liked.group_by("person", "item").agg(
        pl.min_horizontal(pl.col("decayed").sum(), pl.lit(round(CAP * 1_000_000))).alias("weight"),
        pl.len().cast(pl.Int32).alias("events"),
        pl.col("time").max().alias("last"),
    )
    summed = summed.with_columns(pl.lit(0, pl.Int32).alias("group")).sort("person", "item")
    summed.select("person", "group", "item", "weight", "events", "last").sink_parquet(
        out / "interactions.parquet", compression="zstd"
    )
