"""The step between cleaned sources and links: reads the link tables, then links persons and items."""

from __future__ import annotations

import glob
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv

from recall.errors import DataError
from recall.links.config import LinksConfig, LinkTable
from recall.links.items import link_items
from recall.links.ledger import Ledger
from recall.links.people import link_people

Linker = Callable[[pa.Table, pa.Table], pa.Table]
"""(accounts, listings) → recall.tables.LINKS rows, one for each account and each listing."""

_PAIRS = pa.schema(
    [("person", pa.string()), ("platform", pa.string()), ("user", pa.string()), ("confidence", pa.float64())]
)


def make_linker(root: Path, config: LinksConfig, ledger: Ledger) -> Linker:
    """What recall.merge.ingest calls. The link tables are read at once: DataError names file and remedy."""
    pairs = read_link_tables(root, config)

    def link(accounts: pa.Table, listings: pa.Table) -> pa.Table:
        people = link_people(accounts, pairs, ledger, config)
        items = link_items(listings, ledger, config)
        order = [("kind", "ascending"), ("platform", "ascending"), ("key", "ascending")]
        return pa.concat_tables([people, items]).sort_by(order)

    return link


def read_link_tables(root: Path, config: LinksConfig) -> pa.Table:
    """person, platform, user, confidence of all [[links.tables]]; keys of two tables never meet.

    Rows that lack one of the three are left out. Empty when no table is configured.
    """
    parts = [_read(root, table, number) for number, table in enumerate(config.tables)]
    return pa.concat_tables(parts) if parts else _PAIRS.empty_table()


def _read(root: Path, table: LinkTable, number: int) -> pa.Table:
    files = sorted(glob.glob(str(root / table.path)))  # noqa: PTH207 (the pattern may be absolute)
    if not files:
        raise DataError(f"[[links.tables]] path {table.path!r}: no such file below {root}; correct the path")
    parts = [_rows(Path(file), table, number) for file in files]
    return pa.concat_tables(parts)


def _rows(file: Path, table: LinkTable, number: int) -> pa.Table:
    wanted = [table.columns.person, table.columns.platform, table.columns.user]
    try:
        read = csv.read_csv(
            file,
            parse_options=csv.ParseOptions(delimiter=table.delimiter),
            convert_options=csv.ConvertOptions(
                column_types={name: pa.string() for name in wanted},
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{file.name}: {error}; a link table is a CSV file with a header") from error
    if missing := [name for name in wanted if name not in read.column_names]:
        raise DataError(
            f"{file.name}: no column {missing[0]!r}; found {', '.join(read.column_names)}: "
            "correct [[links.tables]] columns"
        )
    keys, platforms, users = (pc.utf8_trim_whitespace(read[name]) for name in wanted)
    keys = pc.binary_join_element_wise(str(number), keys, "\x1f")
    confidence = pa.array([table.confidence] * len(read), pa.float64())
    return pa.table([keys, platforms, users, confidence], schema=_PAIRS).drop_null()
