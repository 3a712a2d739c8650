"""The careful way through a text file: every record is judged on its own, with its lines.

DuckDB reads sound files at full speed and refuses the whole file when one row is broken. Then this scanner
separates sound records from broken ones; DuckDB reads what it lets through. It also tells on which line
each record stands. Lines without a quote are judged by numpy, a chunk at a time; only lines with quotes
are matched one by one.

What is broken, and how far:
- a line without quotes and the wrong number of delimiters: that line;
- a quoted field that is not closed before a delimiter or a line break: only the line it begins on, so
  that the lines it would have swallowed are judged themselves;
- a well-formed record over several lines with the wrong number of fields, or with bytes that are not of
  the encoding: the record.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from recall.config import Source
from recall.sources.compressed import open_bytes

MAX_RECORD = 1 << 21
"""Bytes of one record; a quoted field that goes on longer counts as not closed."""
_CHUNK = 1 << 23
_UNDECODABLE = b"\xff"


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that can't be read: its first and last line (from 1) and the reason code."""

    first: int
    last: int
    reason: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Sound records, as UTF-8 with '\\n' line ends and no header; and the broken ones between them."""

    clean: bytes
    first: np.ndarray
    """int64: the line that each sound record begins on."""
    last: np.ndarray
    """int64: the line that it ends on."""
    bad: tuple[Bad, ...]


def scan(path: Path, source: Source, fields: int, *, header: bool, chunk: int = _CHUNK) -> Iterator[Chunk]:
    """The file's records in order, a chunk at a time. `fields` 0: any line is a record (JSON lines)."""
    shape = _Shape.of(source, fields)
    line, skip_header = 1, header and fields > 0
    with open_bytes(path) as file:
        rest = b""
        for data, final in _utf8_chunks(file, source.encoding, chunk):
            data = rest + data
            if skip_header:
                end, done = shape.header_end(data, final)
                if not done:
                    rest = data
                    continue
                line += data[:end].count(b"\n")
                data, skip_header = data[end:], False
            used, found = shape.judge(data, line, final)
            line += data[:used].count(b"\n")
            rest = data[used:]
            yield found


def _utf8_chunks(file: BinaryIO, encoding: str, size: int) -> Iterator[tuple[bytes, bool]]:
    """Chunks of about `size` bytes as UTF-8, no byte order mark; what can't be decoded stays undecodable.

    The last one is marked final. Multi-byte encodings are decoded before they are cut into fields, because
    their second bytes can look like delimiters.
    """
    begun = False
    decoder = codecs.getincrementaldecoder(encoding)(_errors(encoding)) if encoding != "utf-8" else None
    while True:
        raw = file.read(size)
        final = not raw
        if decoder:
            text = decoder.decode(raw, final)
            data = text.encode("utf-8", "surrogatepass")
            if encoding == "utf-16":
                data = data.replace("\ufffd".encode(), _UNDECODABLE)
        else:
            data = raw
        if not begun and data:
            data = data.removeprefix(codecs.BOM_UTF8)
            begun = True
        yield data, final
        if final:
            return


def _errors(encoding: str) -> str:
    return "replace" if encoding == "utf-16" else "surrogateescape"


@dataclass(frozen=True, slots=True)
class _Shape:
    """A dialect and the number of fields, as patterns."""

    delimiter: bytes
    quote: int | None
    fields: int
    strict: re.Pattern[bytes]
    """A whole record; quotes only around fields."""
    loose: re.Pattern[bytes]
    """A record on one line; quotes may stand inside unquoted fields, as DuckDB has it."""
    any_count: re.Pattern[bytes]
    """As `strict`, with any number of fields."""
    unfinished: re.Pattern[bytes]
    """What could become a record with more bytes: the data ends inside a quoted field."""

    @classmethod
    def of(cls, source: Source, fields: int) -> _Shape:
        delimiter = source.delimiter.encode()
        d = re.escape(delimiter)
        first = re.escape(delimiter[:1])
        q = re.escape(source.quote.encode()) if source.quote else b"\x00{2}(?!)"
        e = re.escape(source.escape.encode()) if source.escape else q
        single = len(delimiter) == 1
        apart = first if single else b""
        plain = b"[^" + apart + b"\r\n" + (q if source.quote else b"") + b"]*+"
        free = b"(?!" + (b" *+" + q if source.quote else b"(?!)") + b")[^" + apart + b"\r\n]*+"
        if not single:
            plain = b"(?:(?!" + d + b")[^\r\n" + (q if source.quote else b"") + b"])*+"
            free = b"(?:(?!" + d + b")[^\r\n])*+"
        body = b"[^" + q + b"]*+(?:" + q + q + b"[^" + q + b"]*+)*+"
        if e != q:
            body = b"[^" + q + e + b"]*+(?:" + e + b"[^\x00-\x09\x0b-\x1f]" + b"[^" + q + e + b"]*+)*+"
        quoted = b" *+" + q + body + q + b" *+"
        one_line = quoted.replace(b"[^" + q, b"[^\r\n" + q)
        if not source.quote:
            quoted = one_line = b"(?!)"
        end = b"(?:\r?\n|\\Z)"

        def record(field: bytes, count: bytes) -> bytes:
            return b"(?>" + field + b")(?:" + d + b"(?>" + field + b"))" + count

        exactly = b"{%d}" % (max(fields, 1) - 1)
        strict, loose = b"(?:" + quoted + b"|" + plain + b")", b"(?:" + one_line + b"|" + free + b")"
        opened = b" *+" + q + body + (b"" if e == q else e + b"?") + b"\\Z" if source.quote else b"(?!)"
        return cls(
            delimiter,
            source.quote.encode()[0] if source.quote else None,
            fields,
            re.compile(record(strict, exactly) + end),
            re.compile(record(loose, exactly) + end),
            re.compile(record(strict, b"*+") + end),
            re.compile(b"(?:(?>" + strict + b")" + d + b")*+" + opened),
        )

    def header_end(self, data: bytes, final: bool) -> tuple[int, bool]:
        """Where the header record ends, and whether the data reaches that far."""
        if found := self.any_count.match(data):
            if found.end() < len(data) or final or data.endswith(b"\n"):
                return found.end(), True
            return 0, False
        newline = data.find(b"\n")
        return (newline + 1, True) if newline >= 0 else (len(data), final)

    def judge(self, data: bytes, line: int, final: bool) -> tuple[int, Chunk]:
        """Judge the complete lines of `data`, which begins on `line`; returns how many bytes were used."""
        if not final:
            data = data[: data.rfind(b"\n") + 1]
        elif data and not data.endswith(b"\n"):
            data += b"\n"
        if not data:
            return 0, Chunk(b"", np.empty(0, np.int64), np.empty(0, np.int64), ())
        octets = np.frombuffer(data, np.uint8)
        ends = np.flatnonzero(octets == 10)
        starts = np.r_[0, ends[:-1] + 1]
        carriage = np.zeros(len(ends), bool)
        carriage[ends > starts] = octets[ends[ends > starts] - 1] == 13
        blank = ends - carriage == starts
        # What each line is: 0 the end of a record, 1 part of one that goes on, 2 dropped.
        state = np.where(blank, 2, 0).astype(np.int8)
        head = np.arange(len(ends))
        """The line that the record ending here begins on."""
        problems: dict[int, Bad] = {}
        with_quote = (
            _holding(octets == self.quote, ends) if self.quote is not None else np.zeros(len(ends), bool)
        )
        self._judge_plain(data, octets, starts, ends, carriage, ~with_quote & ~blank, state, problems, line)
        used = self._judge_quoted(
            data, starts, ends, np.flatnonzero(with_quote), state, head, problems, line, final
        )
        count = int(np.searchsorted(ends, used))
        if not _decodes(data[:used]):
            self._judge_encoding(data, starts, ends, head, state, problems, line, count)
        state, ends, starts = state[:count], ends[:count], starts[:count]
        head, carriage = head[:count], carriage[:count]
        keep = np.repeat(state != 2, ends - starts + 1)
        keep[ends[carriage & (state == 0)] - 1] = False
        clean = octets[:used][keep].tobytes()
        records = np.flatnonzero(state == 0)
        bad = tuple(problem for position, problem in sorted(problems.items()) if position < count)
        return min(used, len(data)), Chunk(clean, head[records] + line, records + line, bad)

    def _judge_plain(
        self,
        data: bytes,
        octets: np.ndarray,
        starts: np.ndarray,
        ends: np.ndarray,
        carriage: np.ndarray,
        judged: np.ndarray,
        state: np.ndarray,
        problems: dict[int, Bad],
        line: int,
    ) -> None:
        """Lines without quotes: the number of delimiters decides."""
        if not self.fields:
            return
        if len(self.delimiter) == 1:
            where = np.flatnonzero(octets == self.delimiter[0])
            count = np.searchsorted(where, ends) - np.searchsorted(where, starts)
        else:
            count = np.array([part.count(self.delimiter) for part in data.split(b"\n")[:-1]], np.int64)
        lone = np.flatnonzero(octets == 13)
        lone = lone[octets[lone + 1] != 10]
        with_lone = np.zeros(len(ends), bool)
        with_lone[np.searchsorted(ends, lone)] = True
        wrong = judged & ((count != self.fields - 1) | with_lone)
        for position in np.flatnonzero(wrong).tolist():
            missing = count[position] < self.fields - 1
            reason = "too_few_fields" if missing else "too_many_fields"
            if count[position] == self.fields - 1:
                reason = "control_characters"
            problems[position] = Bad(line + position, line + position, reason)
            state[position] = 2

    def _judge_quoted(
        self,
        data: bytes,
        starts: np.ndarray,
        ends: np.ndarray,
        quoted: np.ndarray,
        state: np.ndarray,
        head: np.ndarray,
        problems: dict[int, Bad],
        line: int,
        final: bool,
    ) -> int:
        """Lines with quotes, in order; a record may take the lines after it along. Returns the bytes used."""
        if not self.fields:
            return len(data)
        cursor = 0
        for position in quoted.tolist():
            if position < cursor:
                continue
            start = int(starts[position])
            found = self.strict.match(data, start, start + MAX_RECORD)
            whole = found or self.loose.match(data, start, int(ends[position]) + 1)
            reason = ""
            if whole is None or (whole.end() == start + MAX_RECORD and data[whole.end() - 1] != 10):
                whole = self.any_count.match(data, start, start + MAX_RECORD)
                if whole is None:
                    open_end = len(data) - start < MAX_RECORD and not final
                    if open_end and self.unfinished.match(data, start):
                        return start
                    reason = "broken_quotes"
                else:
                    reason = self._miscount(whole.group())
            last = position if whole is None else int(np.searchsorted(ends, whole.end() - 1))
            for inside in range(position, last):
                problems.pop(inside + 1, None)
            state[position:last] = 1
            state[last] = 0
            head[last] = position
            if reason:
                problems[position] = Bad(line + position, line + last, reason)
                state[position : last + 1] = 2
            cursor = last + 1
        return len(data)

    def _judge_encoding(
        self,
        data: bytes,
        starts: np.ndarray,
        ends: np.ndarray,
        head: np.ndarray,
        state: np.ndarray,
        problems: dict[int, Bad],
        line: int,
        count: int,
    ) -> None:
        """Take out the records that are not text of the stated encoding."""
        for last in np.flatnonzero(state[:count] == 0).tolist():
            first = int(head[last])
            if not _decodes(data[starts[first] : ends[last]]):
                problems[first] = Bad(line + first, line + last, "invalid_encoding")
                state[first : last + 1] = 2

    def _miscount(self, record: bytes) -> str:
        """Whether a well-formed record has too few or too many fields."""
        shorter = record.count(self.delimiter) < self.fields - 1
        if shorter:
            return "too_few_fields"
        count = len(re.findall(self.strict_field(), record))
        return "too_few_fields" if count < self.fields else "too_many_fields"

    def strict_field(self) -> bytes:
        """One field with the delimiter before it or the record's start."""
        quote = re.escape(bytes([self.quote])) if self.quote is not None else b"(?!)"
        delimiter = re.escape(self.delimiter)
        return (
            b"(?:^|"
            + delimiter
            + b")(?:"
            + quote
            + b"(?:[^"
            + quote
            + b"]|"
            + quote * 2
            + b")*"
            + quote
            + b")?"
        )


def _holding(marks: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """bool per line: whether any of its bytes is marked."""
    held = np.zeros(len(ends), bool)
    held[np.searchsorted(ends, np.flatnonzero(marks))] = True
    return held


def _decodes(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
