"""Rows that say which account has which e-mail address or phone number: cleaned, and reduced to hashes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recall.cleaning import MAX_ID, empty, require, text
from recall.config import AccountSource, EventSource, PlatformConfig, Source
from recall.ids import SEPARATOR
from recall.links.keys import hashed
from recall.sources.filters import filter_expression

KEYS = pa.schema([("user", pa.string()), ("key", pa.string())])
"""Hashes of a stage: the platform's user id and 'KIND:HASH'. Each pair once, sorted."""

STAGED = {"platform": "string", "user": "string", "reason": "string"}
"""The columns of cleaned account rows."""


def clean_accounts(raw: Any, source: AccountSource, platform: str, name: str) -> Any:
    """Rows of STAGED, one for each row of `raw` and in its order; `name` is for errors."""
    columns = source.columns
    require(raw, [columns.user, *columns.keys.values()], name)
    user = text(raw[columns.user])
    problems: list[tuple[Any, str]] = []
    if "w_bad" in raw.columns:
        problems.append((raw["w_bad"], "bad_json"))
    if source.filter:
        problems.append((~filter_expression(source.filter, raw).fill_null(False), "filtered"))
    problems += [
        (empty(user), "missing_user"),
        (user.re_search(r"\p{Cc}"), "control_characters"),
        (user.length() > MAX_ID, "id_too_long"),
    ]
    return raw.select(platform=ibis.literal(platform), user=user, reason=ibis.cases(*problems))


def key_columns(source: Source) -> dict[str, str]:
    """Kind of key → column; empty where the source has none."""
    if not isinstance(source, AccountSource | EventSource):
        return {}
    return {str(kind): column for kind, column in source.columns.keys.items()}


def keyed(platforms: Mapping[str, PlatformConfig]) -> bool:
    """Whether any source carries keys, so that a salt is needed."""
    return any(
        key_columns(source)
        for platform in platforms.values()
        for source in (*platform.events, *platform.accounts)
    )


def extract_keys(raw: Any, source: AccountSource | EventSource, salt: bytes) -> pa.Table:
    """KEYS of the accounts in `raw`. Each pair of user and value is hashed once, however many rows say it."""
    user = text(raw[source.columns.user])
    parts = [KEYS.empty_table()]
    for kind, column in sorted(source.columns.keys.items()):
        pairs = raw.select(user=user, value=text(raw[column])).distinct()
        pairs = pairs.filter((pairs.user.length() > 0) & (pairs.value.length() > 0)).to_pyarrow()
        keys = hashed(kind, pairs["value"].to_pylist(), salt, source.phone_country)
        made = pa.table([pairs["user"].cast(pa.string()), pa.array(keys, pa.string())], schema=KEYS)
        parts.append(made.drop_null())
    whole = pa.concat_tables(parts)
    return whole.group_by(["user", "key"]).aggregate([]).select(KEYS.names).sort_by(_ORDER)


def with_keys(accounts: pa.Table, stages: Iterable[tuple[str, Path, Path | None]]) -> pa.Table:
    """`accounts` (platform, user, first_seen …) with `keys`: each account's list of hashes, or null.

    `stages` are (platform, keys.parquet, rows.parquet of an accounts source). Accounts that only such a
    source names are added: they have no event, and first_seen null.
    """
    keys, named = [], []
    for platform, path, rows in stages:
        found = pq.read_table(path, schema=KEYS)
        keys.append(found.add_column(0, "platform", pa.array([platform] * len(found), pa.string())))
        if rows is not None:
            read = pq.read_table(rows, columns=["platform", "user", "reason"])
            named.append(read.filter(pc.is_null(read["reason"])).select(["platform", "user"]))
    if not keys:
        return accounts
    node = ["platform", "user"]
    whole = pa.concat_tables(keys).group_by([*node, "key"]).aggregate([])
    lists = whole.sort_by([(name, "ascending") for name in (*node, "key")])
    lists = lists.group_by(node, use_threads=False).aggregate([("key", "list")])
    lists = lists.rename_columns({"key_list": "keys"})
    if named:
        silent = pa.concat_tables(named).group_by(node).aggregate([])
        silent = silent.join(accounts.select(node), node, join_type="left anti")
        accounts = pa.concat_tables([accounts, silent], promote_options="default")
    place = pc.index_in(_joined(accounts), value_set=_joined(lists))  # Arrow joins no columns of lists
    return accounts.append_column("keys", lists["keys"].combine_chunks().take(place))


def _joined(rows: pa.Table) -> pa.Array:
    return pc.binary_join_element_wise(rows["platform"], rows["user"], SEPARATOR).combine_chunks()


_ORDER = [("user", "ascending"), ("key", "ascending")]
