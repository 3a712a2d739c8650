"""Link tables: CSV files that say which accounts belong to one person."""

from __future__ import annotations

import glob
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv

from recall.errors import ConfigError, DataError
from recall.links.config import LinksConfig, LinkTable
from recall.links.keys import VARIABLE, hashed
from recall.links.people import CLAIMS


def read_link_tables(root: Path, config: LinksConfig, salt: bytes = b"") -> pa.Table:
    """recall.links.people.CLAIMS of all [[links.tables]]; plain keys of two tables never meet.

    Rows that lack one of the three columns, or whose e-mail or phone is none, are left out. Empty when no
    table is configured. DataError names file and remedy.
    """
    parts = [_read(root, table, number, salt) for number, table in enumerate(config.tables)]
    return pa.concat_tables(parts) if parts else CLAIMS.empty_table()


def _read(root: Path, table: LinkTable, number: int, salt: bytes) -> pa.Table:
    if table.key != "id" and not salt:
        raise ConfigError(f"[[links.tables]] path {table.path!r} has {table.key} keys; set {VARIABLE}")
    files = sorted(glob.glob(str(root / table.path)))  # noqa: PTH207 (the pattern may be absolute)
    if not files:
        raise DataError(f"[[links.tables]] path {table.path!r}: no such file below {root}; correct the path")
    return pa.concat_tables([_rows(Path(file), table, number, salt) for file in files])


def _rows(file: Path, table: LinkTable, number: int, salt: bytes) -> pa.Table:
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
        # Arrow quotes the row that it stumbles over, which may hold an address.
        reason = str(error).partition(":")[0] if table.key != "id" else str(error)
        raise DataError(f"{file.name}: {reason}; a link table is a CSV file with a header") from None
    if missing := [name for name in wanted if name not in read.column_names]:
        raise DataError(
            f"{file.name}: no column {missing[0]!r}; found {', '.join(read.column_names)}: "
            "correct [[links.tables]] columns"
        )
    keys, platforms, users = (pc.utf8_trim_whitespace(read[name]) for name in wanted)
    if table.key == "id":
        keys = pc.binary_join_element_wise(f"table:{number}", keys, "\x1f")
    else:
        made = hashed(table.key, keys.to_pylist(), salt, table.phone_country)
        keys = pa.chunked_array([pa.array(made, pa.string())])
    confidence = pa.array([table.confidence] * len(read), pa.float64())
    return pa.table([keys, platforms, users, confidence], schema=CLAIMS).drop_null()
