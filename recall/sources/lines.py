"""Where rows stand in their file: for rejects that name a line and show it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from recall.config import Source
from recall.sources.compressed import open_bytes

MAX_RAW = 2_000
"""Characters of a raw row that are kept."""
WITHHELD = "(withheld: it may hold an e-mail address or phone number)"

_CHUNK = 1 << 22
_EMAIL = re.compile(r"[^\s,;:|<>\"'=]+@[^\s,;:|<>\"'=]+\.[^\s,;:|<>\"'=]+")


def count_lines(path: Path) -> int:
    """Lines of the (decompressed) file; a last line needs no line break."""
    count, last = 0, b"\n"
    with open_bytes(path) as file:
        while chunk := file.read(_CHUNK):
            count += chunk.count(b"\n")
            last = chunk[-1:]
    return count + (last != b"\n")


def read_lines(path: Path, wanted: Mapping[int, int], encoding: str) -> Iterator[tuple[int, bytes]]:
    """(first line, its bytes) for each first → last line (from 1, inclusive); in the file's order."""
    ordered = sorted(wanted.items())
    if not ordered:
        return
    position, (first, last) = 0, ordered[0]
    taken: list[bytes] = []
    with open_bytes(path) as file:
        lines = _utf16_lines(file) if encoding == "utf-16" else file
        for number, line in enumerate(lines, start=1):
            if number < first:
                continue
            taken.append(line)
            if number == last:
                yield first, b"".join(taken)
                taken = []
                position += 1
                if position == len(ordered):
                    return
                first, last = ordered[position]
    if taken:
        yield first, b"".join(taken)


def _utf16_lines(file: BinaryIO) -> Iterator[bytes]:
    for line in io.TextIOWrapper(file, encoding="utf-16", errors="replace", newline="\n"):
        yield line.encode()


def shown(raw: bytes, encoding: str) -> str:
    """A raw row as text that can be stored: odd bytes and control characters escaped, e-mails hidden."""
    encoding = "utf-8" if encoding == "utf-16" else encoding
    decoded = raw.rstrip(b"\r\n").decode(encoding, errors="backslashreplace")
    return hide_emails("".join(map(_visible, decoded)))[:MAX_RAW]


def _visible(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def redacted_csv(raw: bytes, columns: Sequence[str], keys: Collection[str], source: Source) -> str:
    """`shown`, with the fields of the columns in `keys` replaced by ***."""
    text = shown(raw, source.encoding)
    if not keys:
        return text
    if len(source.delimiter) > 1 or not source.quote:
        fields = text.split(source.delimiter)
    else:
        fields = next(csv.reader([text], delimiter=source.delimiter, quotechar=source.quote), [])
    if len(fields) != len(columns):
        return WITHHELD
    return source.delimiter.join("***" if c in keys else f for c, f in zip(columns, fields, strict=True))


def redacted_row(row: Mapping[str, object], keys: Collection[str]) -> str:
    """A row of a table as JSON, with the columns in `keys` replaced."""
    plain = {column: "***" if column in keys else value for column, value in row.items()}
    return hide_emails(json.dumps(plain, ensure_ascii=True, default=str))[:MAX_RAW]


def hide_emails(text: str) -> str:
    return _EMAIL.sub("***@***", text)
