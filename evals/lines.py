"""A file of JSON lines that is only ever appended to, and survives being killed in the middle of a line."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from recall.errors import DataError


class Lines:
    """Open for one writer at a time; DataError when another run has it. What was torn off at the end goes."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise DataError(f"{path}: another run writes to it; wait for that one to end") from None
        self._file.seek(0)
        whole = self._file.read()
        self._file.truncate(whole.rfind(b"\n") + 1)
        self._lock = threading.Lock()
        self._waiting, self._added, self._written = bytearray(), 0, 0
        self._writing: asyncio.Future[None] | None = None

    def rows(self) -> list[dict[str, Any]]:
        """What is in it, in the order it came. DataError names a line that is not JSON."""
        return read_lines(self.path)

    def add(self, *rows: Mapping[str, Any]) -> None:
        """Append lines; they are on the disk when this returns."""
        self._put(_encoded(rows))

    async def append(self, *rows: Mapping[str, Any]) -> None:
        """The same without holding up the event loop; what comes in meanwhile goes to the disk together."""
        self._waiting += _encoded(rows)
        self._added += 1
        mine = self._added
        while self._written < mine:
            if self._writing is None or self._writing.done():
                self._writing = asyncio.ensure_future(self._write())
            await asyncio.shield(self._writing)

    async def _write(self) -> None:
        taken, upto = bytes(self._waiting), self._added
        self._waiting.clear()
        await asyncio.to_thread(self._put, taken)
        self._written = upto

    def _put(self, lines: bytes) -> None:
        with self._lock:
            self._file.write(lines)
            self._file.flush()
            os.fdatasync(self._file.fileno())

    def close(self) -> None:
        """Waits for what is on its way to the disk."""
        with self._lock:
            self._file.close()


def _encoded(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The rows of such a file; a torn last line is left out. DataError for other damage."""
    found: list[dict[str, Any]] = []
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error})") from error
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            found.append(json.loads(line))
        except ValueError as error:
            raise DataError(f"{path}:{number}: not JSON ({error}); the file was changed by hand") from error
    return found
