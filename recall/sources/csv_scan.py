"""The careful way through a text file: every record is judged on its own, with its lines.

DuckDB reads sound files at full speed and refuses the whole file when one row is broken. Then this scanner
separates sound records from broken ones, and DuckDB reads what it lets through. It also tells on which line
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
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from recall.config import Source
from recall.sources.compressed import open_bytes
from recall.sources.csv_shape import Shape

MAX_RECORD = 1 << 21
"""Bytes of one record; a quoted field that goes on longer counts as not closed."""
_CHUNK = 1 << 23
_UNDECODABLE = b"\xff"
_END, _INSIDE, _DROPPED = 0, 1, 2


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
    shape = Shape.of(source, fields)
    number, rest = 1, b""
    with open_bytes(path) as file:
        for data, final in _utf8_chunks(file, source.encoding, chunk):
            data = rest + data
            if header:
                end = shape.header_end(data, final)
                if end is None:
                    rest = data
                    continue
                number, data, header = number + data[:end].count(b"\n"), data[end:], False
            complete = data if final else data[: data.rfind(b"\n") + 1]
            if final and complete and not complete.endswith(b"\n"):
                complete += b"\n"
            lines = _Lines(complete, number, shape)
            used = lines.judge(final)
            number += lines.count_until(used)
            rest = data[used:]
            yield lines.result(used)


def _utf8_chunks(file: BinaryIO, encoding: str, size: int) -> Iterator[tuple[bytes, bool]]:
    """Chunks of about `size` bytes as UTF-8, no byte order mark; what can't be decoded stays undecodable.

    The last one is marked final. Multi-byte encodings are decoded before they are cut into fields, because
    their second bytes can look like delimiters.
    """
    begun = False
    errors = "replace" if encoding == "utf-16" else "surrogateescape"
    decoder = codecs.getincrementaldecoder(encoding)(errors) if encoding != "utf-8" else None
    while True:
        data = file.read(size)
        final = not data
        if decoder:
            data = decoder.decode(data, final).encode("utf-8", "surrogatepass")
            if encoding == "utf-16":
                data = data.replace("\ufffd".encode(), _UNDECODABLE)
        if not begun and data:
            data, begun = data.removeprefix(codecs.BOM_UTF8), True
        yield data, final
        if final:
            return


@dataclass(slots=True)
class _Lines:
    """Complete lines and what each turns out to be. `data` is empty or ends in a line break."""

    data: bytes
    number: int
    """Of the first line, from 1."""
    shape: Shape
    octets: np.ndarray = field(init=False)
    starts: np.ndarray = field(init=False)
    ends: np.ndarray = field(init=False)
    """Positions of the line breaks."""
    carriage: np.ndarray = field(init=False)
    """bool: whether a carriage return stands before the line break."""
    state: np.ndarray = field(init=False)
    """int8 per line: a record ends here, it goes on, or the line is dropped."""
    head: np.ndarray = field(init=False)
    """int64 per line: the line on which the record that ends here begins."""
    bad: dict[int, Bad] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.octets = np.frombuffer(self.data, np.uint8)
        self.ends = np.flatnonzero(self.octets == 10)
        self.starts = np.concatenate([[0], self.ends[:-1] + 1]).astype(np.int64)[: len(self.ends)]
        self.carriage = (self.ends > self.starts) & (self.octets[self.ends - 1] == 13)
        blank = self.ends - self.carriage == self.starts
        self.state = np.where(blank, _DROPPED, _END).astype(np.int8)
        self.head = np.arange(len(self.ends))

    def judge(self, final: bool) -> int:
        """Judge every line; returns the bytes used, fewer than all when a record goes on after them."""
        used = len(self.data)
        if self.shape.fields:
            quoted = self._holding(np.flatnonzero(self.octets == self.shape.quote))
            self._judge_plain(~quoted & (self.state != _DROPPED))
            used = self._judge_quoted(np.flatnonzero(quoted), final)
        if not _decodes(self.data[:used]):
            self._judge_encoding(used)
        return used

    def count_until(self, used: int) -> int:
        """Lines in the first `used` bytes."""
        return int(np.searchsorted(self.ends, used))

    def result(self, used: int) -> Chunk:
        count = self.count_until(used)
        state, starts, ends = self.state[:count], self.starts[:count], self.ends[:count]
        keep = np.repeat(state != _DROPPED, ends - starts + 1)
        keep[ends[self.carriage[:count] & (state == _END)] - 1] = False
        records = np.flatnonzero(state == _END)
        bad = tuple(problem for line, problem in sorted(self.bad.items()) if line < count)
        clean = self.octets[:used][keep].tobytes()
        return Chunk(clean, self.head[records] + self.number, records + self.number, bad)

    def _reject(self, first: int, last: int, reason: str) -> None:
        self.bad[first] = Bad(self.number + first, self.number + last, reason)
        self.state[first : last + 1] = _DROPPED

    def _holding(self, positions: np.ndarray) -> np.ndarray:
        """bool per line: whether one of the positions lies on it."""
        held = np.zeros(len(self.ends), bool)
        held[np.searchsorted(self.ends, positions)] = True
        return held

    def _judge_plain(self, judged: np.ndarray) -> None:
        """Lines without quotes: the number of delimiters decides, and no carriage return inside."""
        delimiter = self.shape.delimiter
        if len(delimiter) == 1:
            where = np.flatnonzero(self.octets == delimiter[0])
            count = np.searchsorted(where, self.ends) - np.searchsorted(where, self.starts)
        else:
            count = np.array([line.count(delimiter) for line in self.data.split(b"\n")[:-1]], np.int64)
        lone = np.flatnonzero(self.octets == 13)
        lone = self._holding(lone[self.octets[lone + 1] != 10])
        wrong = judged & ((count != self.shape.fields - 1) | lone)
        for line in np.flatnonzero(wrong).tolist():
            excess = count[line] - (self.shape.fields - 1)
            reason = "too_few_fields" if excess < 0 else "too_many_fields" if excess else "control_characters"
            self._reject(line, line, reason)

    def _judge_quoted(self, quoted: np.ndarray, final: bool) -> int:
        """Lines with quotes, in order; a record may take the lines after it along."""
        shape, data, cursor = self.shape, self.data, 0
        for line in quoted.tolist():
            if line < cursor:
                continue
            start, limit = int(self.starts[line]), int(self.starts[line]) + MAX_RECORD
            found = shape.strict.match(data, start, limit)
            found = found or shape.loose.match(data, start, int(self.ends[line]) + 1)
            reason = ""
            if found is None:
                found = shape.any_count.match(data, start, limit)
                if found:
                    reason = shape.miscount(found.group())
                elif not final and len(data) < limit and shape.unfinished.match(data, start):
                    return start
                else:
                    reason = "broken_quotes"
            last = line
            if found and data[found.end() - 1] == 10:
                last = int(np.searchsorted(self.ends, found.end() - 1))
            elif found:  # cut off by MAX_RECORD, not by a line break
                reason = "broken_quotes"
            for inside in range(line, last + 1):
                self.bad.pop(inside, None)
            self.state[line:last], self.state[last], self.head[last] = _INSIDE, _END, line
            if reason:
                self._reject(line, last, reason)
            cursor = last + 1
        return len(data)

    def _judge_encoding(self, used: int) -> None:
        """Take out the records that are not text of the stated encoding."""
        for last in np.flatnonzero(self.state[: self.count_until(used)] == _END).tolist():
            first = int(self.head[last])
            if not _decodes(self.data[self.starts[first] : self.ends[last]]):
                self._reject(first, last, "invalid_encoding")


def _decodes(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
