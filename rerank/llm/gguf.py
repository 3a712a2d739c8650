"""The few facts that a GGUF file's header tells: that it is one, its architecture and its context length.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (little-endian, versions 2 and 3).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from recall.errors import DataError

_STRING, _ARRAY = 8, 9
_FIXED = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_MOST = 1 << 26
"""Longer strings or arrays than this do not occur in a sound header."""


_TENSOR_TYPES = {
    0: (4, 1), 1: (2, 1), 30: (2, 1), 2: (18, 32), 3: (20, 32), 6: (22, 32), 7: (24, 32), 8: (34, 32),
    12: (144, 256), 13: (176, 256), 14: (210, 256),
}  # fmt: skip
"""Bytes and weights of a block: F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K."""


@dataclass(frozen=True, slots=True)
class Header:
    architecture: str
    name: str
    context: int | None
    """Tokens that the model was trained to look at together."""


def read_header(path: Path) -> Header:
    """The header of the GGUF file at `path`; DataError when it is none, its header is damaged, or the file
    ends before the last tensor does."""
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise DataError(f"{path}: not a GGUF file; `whyrec llm pull` brings one")
            version, tensors, count = struct.unpack("<IQQ", _exactly(file, 20))
            if version not in (2, 3) or max(count, tensors) > 10_000:
                raise DataError(
                    f"{path}: GGUF version {version} with {count} keys can't be read; versions 2, 3 can"
                )
            facts: dict[str, object] = {}
            for _ in range(count):
                key = _string(file)
                facts[key] = _value(file, struct.unpack("<I", _exactly(file, 4))[0])
            ends = max((_tensor_end(file) for _ in range(tensors)), default=0)
            alignment = facts.get("general.alignment", 32)
            step = alignment if isinstance(alignment, int) and alignment > 0 else 32
            needed = -(-file.tell() // step) * step + ends
            if (size := path.stat().st_size) < needed:
                # openvino-genai reads on behind the end: it fails, or stays busy for minutes.
                raise ValueError(f"the file has {size} bytes, its tensors end at {needed}")
    except (OSError, struct.error, ValueError) as error:
        raise DataError(f"{path}: its GGUF header can't be read ({error}); pull the file again") from error
    architecture = str(facts.get("general.architecture", "unknown"))
    context = facts.get(f"{architecture}.context_length")
    return Header(
        architecture, str(facts.get("general.name", path.stem)), context if isinstance(context, int) else None
    )


def _tensor_end(file: BinaryIO) -> int:
    """Where the next tensor ends behind the header, at least."""
    _string(file)
    (dimensions,) = struct.unpack("<I", _exactly(file, 4))
    if dimensions > 8:
        raise ValueError(f"a tensor of {dimensions} dimensions")
    *shape, kind, offset = struct.unpack(f"<{dimensions}QIQ", _exactly(file, 8 * dimensions + 12))
    block, weights = _TENSOR_TYPES.get(kind, (0, 1))
    return int(offset + math.prod(shape) // weights * block)


def _value(file: BinaryIO, kind: int) -> object:
    if kind == _STRING:
        return _string(file)
    if kind == _ARRAY:
        element, count = struct.unpack("<IQ", _exactly(file, 12))
        if count > _MOST:
            raise ValueError(f"an array of {count} elements")
        if element in _FIXED:
            file.seek(count * struct.calcsize("<" + _FIXED[element]), 1)
        else:
            for _ in range(count):
                _value(file, element)
        return None
    if kind not in _FIXED:
        raise ValueError(f"value type {kind}")
    form = "<" + _FIXED[kind]
    return struct.unpack(form, _exactly(file, struct.calcsize(form)))[0]


def _string(file: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", _exactly(file, 8))
    if length > _MOST:
        raise ValueError(f"a string of {length} bytes")
    return _exactly(file, length).decode("utf-8", "replace")


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise ValueError("the file ends within it")
    return data
