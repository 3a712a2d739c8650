"""Vectors of texts by the texts' hash: nothing is embedded twice, not even after a run was cut off."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recall.errors import ModelError
from rerank.types import Cause

_HASH = 32


class KnownVectors:
    """Vectors of one embedder. New ones go to the end of a file at once: a line of JSON that says whose they
    are and how long, then records of a hash and float32[d]. A record that was cut off is left out."""

    def __init__(self, file: Path, embedder: str) -> None:
        """Reads the file where it is of this embedder, else begins it anew."""
        self._file, self._embedder = file, embedder
        self._row: dict[bytes, int] = {}
        self._parts: list[np.ndarray] = []
        self._size: int | None = None
        self._read()

    def hash(self, text: str) -> bytes:
        """32 bytes that stand for the text under this embedder."""
        return hashlib.sha256(f"{self._embedder}\n{text}".encode()).digest()

    def has(self, hash: bytes) -> bool:
        return hash in self._row

    def take(self, hashes: np.ndarray, vectors: np.ndarray) -> None:
        """Vectors that are known elsewhere, float32[n × d] of the texts with uint8[n × 32]; not written."""
        if len(hashes) == len(vectors) and hashes.shape[1:] == (_HASH,):
            self._put([row.tobytes() for row in hashes], vectors)

    def add(self, hashes: Sequence[bytes], vectors: np.ndarray) -> None:
        """New vectors, float32[n × d]; on disk before this returns. ModelError where d is another than
        before."""
        if not len(hashes):
            return
        fresh = not self._file.exists()
        self._put(hashes, vectors)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("ab") as file:
            if fresh:
                file.write(json.dumps({"embedder": self._embedder, "d": vectors.shape[1]}).encode() + b"\n")
            for hash, vector in zip(hashes, vectors.astype("<f4"), strict=True):
                file.write(hash + vector.tobytes())

    def of(self, hashes: Sequence[bytes]) -> np.ndarray:
        """float32[n × d] of known texts; float32[0 × 0] for none."""
        if not len(hashes):
            return np.zeros((0, 0), np.float32)
        rows = np.array([self._row[hash] for hash in hashes])
        found: np.ndarray = np.concatenate(self._parts)[rows]
        return found

    def _put(self, hashes: Sequence[bytes], vectors: np.ndarray) -> None:
        if self._size is None:
            self._size = int(vectors.shape[1])
        if vectors.shape[1] != self._size:
            raise ModelError(
                f"{self._embedder}: vectors of {vectors.shape[1]} numbers, earlier ones have {self._size}; "
                f"if the model behind this name is another one now, remove {self._file.parent}",
                Cause.BAD_REPLY,
            )
        start = sum(len(part) for part in self._parts)
        self._row |= {hash: start + at for at, hash in enumerate(hashes)}
        self._parts.append(np.asarray(vectors, np.float32))

    def _read(self) -> None:
        try:
            raw = self._file.read_bytes()
            head, _, rest = raw.partition(b"\n")
            told = json.loads(head)
            d = int(told["d"])
            mine = told["embedder"] == self._embedder and d > 0
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError):
            mine = False
        if not mine:
            self._file.unlink()
            return
        size = _HASH + 4 * d
        count = len(rest) // size
        table = np.frombuffer(rest[: count * size], np.uint8).reshape(count, size)
        self.take(table[:, :_HASH], np.ascontiguousarray(table[:, _HASH:]).view("<f4").reshape(count, d))
        if len(rest) % size:
            with self._file.open("r+b") as file:
                file.truncate(len(head) + 1 + count * size)
