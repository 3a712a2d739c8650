"""A CSV dialect with a number of fields, as patterns over bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from recall.config import Source

_NEVER = b"(?!)"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a record looks like. The patterns never backtrack over a field, so broken input costs little."""

    delimiter: bytes
    quote: int
    """The byte, or -1 when nothing is quoted."""
    fields: int
    """0: any line is a record."""
    strict: re.Pattern[bytes]
    """A whole record, over several lines if need be; quotes only around fields."""
    loose: re.Pattern[bytes]
    """A record on one line; quotes may stand inside unquoted fields, as DuckDB has it."""
    any_count: re.Pattern[bytes]
    """As `strict`, with any number of fields."""
    unfinished: re.Pattern[bytes]
    """What more bytes could make a record of: it ends inside a quoted field."""
    field: re.Pattern[bytes]
    """One field of a strict record and the delimiter before it."""

    @classmethod
    def of(cls, source: Source, fields: int) -> Shape:
        delimiter = source.delimiter.encode()
        d = re.escape(delimiter)
        if source.quote:
            q = re.escape(source.quote.encode())
            e = re.escape((source.escape or source.quote).encode())
            if e == q:
                inside = b"[^%b]*+(?:%b%b[^%b]*+)*+" % (q, q, q, q)
                line = b"[^%b\r\n]*+(?:%b%b[^%b\r\n]*+)*+" % (q, q, q, q)
            else:
                inside = b"[^%b%b]*+(?:%b(?s:.)[^%b%b]*+)*+" % (q, e, e, q, e)
                line = b"[^%b%b\r\n]*+(?:%b[^\r\n][^%b%b\r\n]*+)*+" % (q, e, e, q, e)
            quoted, one_line = b" *+%b%b%b *+" % (q, inside, q), b" *+%b%b%b *+" % (q, line, q)
            opened = b" *+%b%b%b\\Z" % (q, inside, b"" if e == q else e + b"?+")
            begins = b"(?! *+%b)" % q
        else:
            q, quoted, one_line, opened, begins = b"", _NEVER, _NEVER, _NEVER, b""
        if len(delimiter) == 1:
            plain, free = b"[^%b\r\n%b]*+" % (d, q), b"%b[^%b\r\n]*+" % (begins, d)
        else:
            plain = b"(?:(?!%b)[^\r\n%b])*+" % (d, q)
            free = b"%b(?:(?!%b)[^\r\n])*+" % (begins, d)
        strict = b"(?>%b|%b)" % (quoted, plain)
        loose = b"(?>%b|%b)" % (one_line, free)
        end = b"(?:\r?\n|\\Z)"
        exactly = b"{%d}" % (max(fields, 1) - 1)
        return cls(
            delimiter,
            source.quote.encode()[0] if source.quote else -1,
            fields,
            re.compile(b"%b(?:%b%b)%b%b" % (strict, d, strict, exactly, end)),
            re.compile(b"%b(?:%b%b)%b%b" % (loose, d, loose, exactly, end)),
            re.compile(b"%b(?:%b%b)*+%b" % (strict, d, strict, end)),
            re.compile(b"(?:%b%b)*+%b" % (strict, d, opened)),
            re.compile(b"(?:%b|\\A)%b" % (d, strict)),
        )

    def header_end(self, data: bytes, final: bool) -> int | None:
        """Where the header record ends; None when the data does not reach that far yet."""
        found = self.any_count.match(data)
        if found and (found.end() < len(data) or final or data.endswith(b"\n")):
            return found.end()
        if not found and (newline := data.find(b"\n")) >= 0:
            return newline + 1
        return len(data) if final else None

    def miscount(self, record: bytes) -> str:
        """Why a well-formed record is none of ours: too few or too many fields."""
        count = sum(1 for _ in self.field.finditer(record.rstrip(b"\r\n")))
        return "too_few_fields" if count < self.fields else "too_many_fields"
