"""The merge of the bench's three platforms as one would write it by hand in DuckDB's SQL: the peer of ingest.

It knows the sources and keeps no account of what it leaves out. Same rules and results as recall/merge.py:
the tables `events` and `interactions`, row for row and in the same order.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from evals.bench.merge_world import CAP, EVENTS_PER_DAY, FUTURE_HOURS, HALF_LIFE_DAYS, NEAR_SECONDS, NOW
from recall.ids import SEPARATOR

LATEST = NOW + FUTURE_HOURS * 3600

_CINEMA = """
    SELECT 'cinema' AS platform, trim("user") AS user, trim(film) AS listing, 'rating' AS type,
        try_cast(trim(stars) AS DOUBLE) AS value,
        CASE WHEN value >= 4 THEN 1000000 WHEN value <= 2 THEN 0 ELSE 200000 END::BIGINT AS weight,
        CASE WHEN value >= 4 THEN 1 WHEN value <= 2 THEN -1 ELSE 0 END::TINYINT AS polarity,
        floor(try_cast(trim("at") AS DOUBLE))::BIGINT AS time
    FROM read_csv('{folder}/cinema/*.csv', auto_detect = false, header = true, delim = ',', quote = '"',
        escape = '"', columns = {{'user': 'VARCHAR', 'film': 'VARCHAR', 'stars': 'VARCHAR', 'at': 'VARCHAR'}})
    WHERE value BETWEEN 0.5 AND 5"""

_SHOP = """
    SELECT 'shop' AS platform, trim(buyer) AS user, trim(sku) AS listing, trim(kind) AS type,
        try_cast(trim(pieces) AS DOUBLE) AS value,
        round(least(value, 3) * CASE kind WHEN 'purchase' THEN 1000000 WHEN 'view' THEN 100000 ELSE 0 END
            )::BIGINT AS weight,
        CASE kind WHEN 'return' THEN -1 ELSE 1 END::TINYINT AS polarity,
        epoch(try_cast(bought[:19] AS TIMESTAMP))::BIGINT
            - 3600 * try_cast(bought[20:22] AS BIGINT) - 60 * try_cast(bought[20] || bought[24:25] AS BIGINT)
            AS time
    FROM read_csv('{folder}/shop/*.csv', auto_detect = false, header = true, delim = ',', quote = '"',
        escape = '"', columns = {{'buyer': 'VARCHAR', 'sku': 'VARCHAR', 'kind': 'VARCHAR',
        'pieces': 'VARCHAR', 'bought': 'VARCHAR'}})
    WHERE type IN ('purchase', 'view', 'return') AND value > 0 AND value <= 1000"""

_STREAM = """
    SELECT 'stream' AS platform, trim(viewer) AS user, trim(title) AS listing, 'play' AS type, share AS value,
        CASE WHEN share >= 0.7 THEN 1000000 WHEN share <= 0.2 THEN 0 ELSE 200000 END::BIGINT AS weight,
        CASE WHEN share >= 0.7 THEN 1 WHEN share <= 0.2 THEN -1 ELSE 0 END::TINYINT AS polarity,
        "at" // 1000 AS time
    FROM read_parquet('{folder}/stream/*.parquet')
    WHERE share BETWEEN 0 AND 1"""

_ROWS = f"""
    CREATE TEMP TABLE once AS
    SELECT DISTINCT * FROM ({_CINEMA} UNION ALL {_SHOP} UNION ALL {_STREAM})
    WHERE user <> '' AND listing <> '' AND NOT regexp_matches(user || listing || type, '\\p{{{{Cc}}}}')
        AND length(user) <= 256 AND length(listing) <= 256 AND time BETWEEN 0 AND {LATEST}"""

_LINKED = f"""
    CREATE TEMP TABLE linked AS
    SELECT 'e' || md5(concat_ws('{SEPARATOR}', platform, once.user, once.listing, type,
            coalesce(round(value * 1000000)::BIGINT::VARCHAR, ''), time)) AS event,
        person.target AS person, item.target AS item, platform, once.user, once.listing, type, value, weight,
        polarity, time, (person.confidence * item.confidence)::FLOAT AS confidence
    FROM once
    JOIN (SELECT platform, key AS user, target, confidence FROM links WHERE kind = 'person') AS person
        USING (platform, user)
    JOIN (SELECT platform, key AS listing, target, confidence FROM links WHERE kind = 'item') AS item
        USING (platform, listing)"""

_BOTS = f"""
    CREATE TEMP TABLE bots AS
    SELECT DISTINCT platform, person FROM linked
    GROUP BY platform, person, time // 86400 HAVING count(*) > {EVENTS_PER_DAY}"""

_EVENTS = f"""
    COPY (
        SELECT * FROM linked ANTI JOIN bots USING (platform, person)
        QUALIFY coalesce(lead(time) OVER (PARTITION BY person, item, type ORDER BY time, event) - time
            > {NEAR_SECONDS}, true)
        ORDER BY person, time, event
    ) TO '{{out}}/events.parquet' (FORMAT parquet, COMPRESSION zstd)"""

_INTERACTIONS = f"""
    COPY (
        SELECT person, 0::INTEGER AS "group", item,
            least(sum(greatest(
                round(weight * 2.0 ** (-(reference - time)::DOUBLE / ({HALF_LIFE_DAYS} * 86400)))::BIGINT, 1
                ))::BIGINT, {round(CAP * 1_000_000)}::BIGINT) AS weight,
            count(*)::INTEGER AS events, max(time) AS last
        FROM '{{out}}/events.parquet', (SELECT max(time) AS reference FROM '{{out}}/events.parquet')
        WHERE polarity <> -1 AND weight > 0
        GROUP BY person, item ORDER BY person, item
    ) TO '{{out}}/interactions.parquet' (FORMAT parquet, COMPRESSION zstd)"""


def merge(world: Path, out: Path, *, memory: str, threads: int) -> None:
    """Write events.parquet and interactions.parquet into `out`."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "threads": threads,
        "temp_directory": str(out / "spill"),
    }
    connection = duckdb.connect(":memory:", config=config)
    connection.execute(f"CREATE TEMP VIEW links AS SELECT * FROM '{world}/links.parquet'")
    connection.execute(_ROWS.format(folder=world))
    connection.execute(_LINKED)
    connection.execute("DROP TABLE once")
    connection.execute(_BOTS)
    connection.execute(_EVENTS.format(out=out))
    connection.execute(_INTERACTIONS.format(out=out))
    connection.close()
