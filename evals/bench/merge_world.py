"""Three generated platforms for `whyrec bench merge`: a cinema and a shop in CSV, a stream in Parquet.

Persons and listings are drawn with a power law; a part of both is shared between the platforms. One row in a
hundred repeats the row before it, one in two hundred follows it within seconds, one in a hundred is broken in
some way, and one account in a million rows is a bot. Every value is a hash of the row's number, so the same
size is the same data.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from recall.config import MergeConfig, PlatformConfig
from recall.ids import SEPARATOR

VERSION = 1
START = 1_600_000_000
SPAN = 3 * 365 * 86_400
NOW = START + SPAN + 3 * 86_400
"""UTC seconds: the clock that times are checked against."""
BOT_DAY = START + 200 * 86_400
EVENTS_PER_DAY = 100
FUTURE_HOURS, NEAR_SECONDS, HALF_LIFE_DAYS, CAP = 24, 10, 180.0, 5.0

PLATFORMS: dict[str, Any] = {
    "cinema": {
        "events_per_day": EVENTS_PER_DAY,
        "events": [
            {
                "path": "cinema/*.csv",
                "columns": {"user": "user", "item": "film", "value": "stars", "time": "at"},
                "type": "rating",
                "rating": {"min": 0.5, "max": 5, "like": 4, "dislike": 2},
            }
        ],
    },
    "shop": {
        "events_per_day": EVENTS_PER_DAY,
        "events": [
            {
                "path": "shop/*.csv",
                "columns": {
                    "user": "buyer",
                    "item": "sku",
                    "time": "bought",
                    "type": "kind",
                    "value": "pieces",
                },
                "time": "iso8601",
                "quantity": {"cap": 3, "max": 1000},
                "types": {
                    "purchase": {"weight": 1.0},
                    "view": {"weight": 0.1},
                    "return": {"weight": 1.0, "polarity": "dislike"},
                },
            }
        ],
    },
    "stream": {
        "events_per_day": EVENTS_PER_DAY,
        "events": [
            {
                "path": "stream/*.parquet",
                "columns": {"user": "viewer", "item": "title", "value": "share", "time": "at"},
                "time": "milliseconds",
                "type": "play",
                "watched": {},
            }
        ],
    },
}
"""[platforms] of its whyrec.toml."""

_FILES = {"cinema": 4, "shop": 3, "stream": 3}
"""Files of each platform; all files have the same number of rows."""


@dataclass(frozen=True, slots=True)
class World:
    """`folder` holds cinema/, shop/, stream/ and links.parquet (recall.tables.LINKS)."""

    folder: Path
    rows: int

    @property
    def platforms(self) -> dict[str, PlatformConfig]:
        return {name: PlatformConfig.model_validate(given) for name, given in PLATFORMS.items()}

    def config(self, memory: str, threads: int) -> MergeConfig:
        return MergeConfig(
            memory_limit=memory,
            threads=threads,
            near_seconds=NEAR_SECONDS,
            future_hours=FUTURE_HOURS,
            half_life_days=HALF_LIFE_DAYS,
            cap=CAP,
            keep_builds=1,
        )


def generated(rows: int, cache: Path) -> World:
    """The data set of about `rows` rows, made once in `cache`. 10 million rows take a minute and 0.5 GB."""
    folder = cache / f"merge-{VERSION}-duckdb{duckdb.__version__}-{rows}"
    if (folder / "links.parquet").exists():
        return World(folder, rows)
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    for name in PLATFORMS:
        (part / name).mkdir(parents=True)
    connection = duckdb.connect(":memory:", config={"memory_limit": "1GB", "temp_directory": str(part)})
    size = max(1, rows // sum(_FILES.values()))
    persons, works = max(200, rows // 100), max(200, rows // 200)
    start = 0
    for number, name in enumerate(PLATFORMS):
        for file in range(_FILES[name]):
            query = _cells(name).format(draw=_draw(number, start, start + size, persons, works, rows))
            ending = "parquet" if name == "stream" else "csv"
            target = part / name / f"{file}.{ending}"
            connection.execute(f"COPY ({query}) TO '{target}'")
            start += size
    connection.execute(f"COPY ({_links(persons, works)}) TO '{part}/links.parquet'")
    connection.close()
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    return World(folder, rows)


def _draw(platform: int, first: int, end: int, persons: int, works: int, rows: int) -> str:
    """Numbered draws i, n (account), m (listing), moment (UTC seconds), v in [0, 1), broken in [0, 400)."""
    bots = max(1, rows // 1_000_000)

    def uniform(salt: int, of: str = "j") -> str:
        return f"((hash({of}, {salt}) % 1000003) / 1000003.0)"

    bot = f"(hash(j, 11) % 1000 = 0 AND {platform} = 0)"
    return f"""
        SELECT j, (hash(i, 5) % 400)::INTEGER AS broken, {uniform(8)} AS v,
            CASE WHEN {bot} THEN 5 + (hash(w, 12) % {bots})::BIGINT
                ELSE floor({persons} * {uniform(3, "w")} ** 2)::BIGINT END AS n,
            floor({works} * {uniform(4, "w")} ** 2)::BIGINT AS m,
            CASE WHEN {bot} THEN {BOT_DAY} + (hash(j, 13) % 80000)::BIGINT
                ELSE {START} + floor({SPAN} * {uniform(6, "w")})::BIGINT END
                + CASE WHEN w <> j THEN 1 + (hash(j, 14) % 9)::BIGINT ELSE 0 END AS moment
        FROM (SELECT *, CASE WHEN hash(j, 2) % 200 = 0 AND j > {first} THEN j - 1 ELSE j END AS w
            FROM (SELECT i, CASE WHEN hash(i, 1) % 100 = 0 AND i > {first} THEN i - 1 ELSE i END AS j
                FROM range({first}, {end}) AS numbers(i)))"""


_ACCOUNT = {
    "cinema": "n::VARCHAR",
    "shop": "'C-' || printf('%07d', n)",
    "stream": "'u' || md5(n::VARCHAR)[:12]",
}
_LISTING = {
    "cinema": "'m' || m",
    "shop": "'SKU-' || printf('%06d', m)",
    "stream": "'s' || printf('%06d', m)",
}


def _cells(name: str) -> str:
    """The rows of one file as the platform writes them, some of them broken."""
    user, listing = _ACCOUNT[name], _LISTING[name]
    if name == "cinema":
        return f"""
            SELECT CASE WHEN broken = 0 THEN '' ELSE {user} END AS user, {listing} AS film,
                CASE broken WHEN 1 THEN 'n/a' WHEN 2 THEN '9' ELSE (1 + floor(v * 10)) / 2 || '' END AS stars,
                CASE WHEN broken = 3 THEN moment * 1000 ELSE moment END AS "at"
            FROM ({{draw}})"""
    if name == "shop":
        written = "strftime(make_timestamp((moment + 3600) * 1000000), '%Y-%m-%dT%H:%M:%S') || '+01:00'"
        return f"""
            SELECT {user} AS buyer, CASE WHEN broken = 0 THEN '' ELSE {listing} END AS sku,
                CASE WHEN broken = 1 THEN 'gift' WHEN v < 0.3 THEN 'purchase' WHEN v < 0.97 THEN 'view'
                    ELSE 'return' END AS kind,
                1 + (hash(j, 9) % 3) AS pieces,
                CASE WHEN broken = 2 THEN 'yesterday' ELSE {written} END AS bought
            FROM ({{draw}})"""
    return f"""
        SELECT CASE WHEN broken = 0 THEN NULL ELSE {user} END AS viewer, {listing} AS title,
            CASE WHEN broken = 1 THEN 1.7 ELSE round(v, 3) END AS share,
            1000 * CASE WHEN broken = 2 THEN {NOW + 30 * 86_400} ELSE moment END AS "at"
        FROM ({{draw}})"""


def _links(persons: int, works: int) -> str:
    """Seven of ten numbers of each platform are shared persons, half of the listings shared works."""
    parts = []
    for platform, name in enumerate(PLATFORMS):
        for kind, count, share, key in (
            ("person", persons, 70, _ACCOUNT[name]),
            ("item", works, 50, _LISTING[name]),
        ):
            letter = "n" if kind == "person" else "m"
            parts.append(f"""
                SELECT '{kind}' AS kind, '{name}' AS platform, {key} AS key,
                    '{kind[0]}' || md5('{kind}{SEPARATOR}' || CASE
                        WHEN hash({letter}, {platform}, '{kind}') % 100 < {share} THEN {letter}::VARCHAR
                        ELSE '{name}{SEPARATOR}' || {letter} END)[:20] AS target,
                    (CASE WHEN hash({letter}, {platform}, 21) % 10 = 0 THEN 0.95 ELSE 1 END)::FLOAT
                        AS confidence,
                    'table' AS method, {START}::BIGINT AS since
                FROM range({count}) AS numbers({letter})""")
    return " UNION ALL ".join(parts) + " ORDER BY kind, platform, key"
