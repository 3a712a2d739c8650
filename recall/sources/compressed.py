"""Files that may be compressed: .gz and .zst by their ending."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import BinaryIO, cast

COMPRESSED = {".gz", ".zst"}


def open_bytes(path: Path) -> BinaryIO:
    """The file's content, decompressed as it is read."""
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    if path.suffix == ".zst":
        import zstandard

        return io.BufferedReader(cast(io.RawIOBase, zstandard.open(path, "rb")))
    return path.open("rb")


def plain_suffix(path: Path) -> str:
    """The ending that tells the format: '.csv' for 'x.csv.gz'."""
    return Path(path.stem).suffix.lower() if path.suffix in COMPRESSED else path.suffix.lower()
