"""What the rules need to know of items, as plain arrays of the artefact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recall.dataset import Dataset
from recall.errors import DataError

GROUP = "rules"
"""Name of the arrays' folder in the artefact."""

_ALWAYS_FROM, _ALWAYS_TO = np.iinfo(np.int64).min, np.iinfo(np.int64).max


def attributes(build: Path, dataset: Dataset) -> dict[str, np.ndarray]:
    """From the tables `items` and `listings` of the build that the dataset was loaded from.

    Of several listings of an item on one platform the lowest price counts, and it is available while any is.
    """
    items = _read(build, "items", ["item", "categories", "creators", "language", "min_age"])
    arrays: dict[str, np.ndarray] = {}
    for name in ("categories", "creators"):
        arrays |= {f"{name}_{part}": array for part, array in _tags(items[name].combine_chunks()).items()}
    language = items["language"].combine_chunks().cast(pa.string()).dictionary_encode()
    arrays["languages"] = _texts(language.dictionary)
    arrays["language"] = _filled(language.indices, -1, np.int32)
    arrays["min_age"] = _filled(items["min_age"].combine_chunks(), -1, np.int32)
    columns = ["platform", "item", "price", "available_from", "available_to"]
    listings = _read(build, "listings", columns)
    shape = (len(dataset.platforms), len(dataset.items))
    platform = pc.index_in(listings["platform"].cast(pa.string()), pa.array(dataset.platforms, pa.string()))
    item = dataset.items.rows(listings["item"].cast(pa.string()).to_pylist())
    at = (platform.to_numpy(), item)
    arrays["price"] = np.full(shape, np.inf, np.float32)
    np.minimum.at(arrays["price"], at, _filled(listings["price"].combine_chunks(), np.inf, np.float32))
    arrays["available_from"] = np.full(shape, _ALWAYS_TO, np.int64)
    start = _filled(listings["available_from"].combine_chunks(), _ALWAYS_FROM, np.int64)
    np.minimum.at(arrays["available_from"], at, start)
    arrays["available_to"] = np.full(shape, _ALWAYS_FROM, np.int64)
    end = _filled(listings["available_to"].combine_chunks(), _ALWAYS_TO, np.int64)
    np.maximum.at(arrays["available_to"], at, end)
    return arrays


@dataclass(frozen=True, slots=True)
class Tags:
    """An item's texts of one kind: `codes[starts[i]:starts[i + 1]]` are positions in `names`."""

    starts: np.ndarray
    codes: np.ndarray
    names: np.ndarray

    @classmethod
    def open(cls, arrays: Mapping[str, np.ndarray], kind: str) -> Tags:
        return cls(arrays[f"{kind}_starts"], arrays[f"{kind}_codes"], arrays[f"{kind}_names"])

    def of(self, row: int) -> np.ndarray:
        """Codes of one item."""
        return self.codes[self.starts[row] : self.starts[row + 1]]

    def having(self, texts: Iterable[str]) -> np.ndarray:
        """bool[items]: whether an item has any of these texts, without regard to case."""
        wanted = {text.casefold() for text in texts}
        chosen = np.array([str(name).casefold() in wanted for name in self.names], bool)
        hits = np.zeros(len(self.starts) - 1, bool)
        if chosen.any():
            item = np.repeat(np.arange(len(hits)), np.diff(self.starts))
            hits[item[chosen[self.codes]]] = True
        return hits


def _tags(lists: pa.ListArray) -> dict[str, np.ndarray]:
    lengths = _filled(pc.list_value_length(lists), 0, np.int64)
    encoded = pc.list_flatten(lists).cast(pa.string()).dictionary_encode()
    return {
        "starts": np.r_[0, np.cumsum(lengths)].astype(np.int64),
        "codes": _filled(encoded.indices, -1, np.int32),
        "names": _texts(encoded.dictionary),
    }


def _texts(values: pa.Array) -> np.ndarray:
    texts = [text or "" for text in values.to_pylist()]
    return np.array(texts, dtype=np.str_) if texts else np.zeros(0, "<U1")


def _filled(values: pa.Array, null: float, dtype: type[np.generic]) -> np.ndarray:
    filled = pc.fill_null(values, pa.scalar(null, values.type)) if values.null_count else values
    return np.ascontiguousarray(filled.to_numpy(zero_copy_only=False), dtype=dtype)


def _read(build: Path, name: str, columns: list[str]) -> pa.Table:
    try:
        return pq.read_table(build / f"{name}.parquet", columns=columns)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(
            f"{build}/{name}.parquet can't be read ({error}); run `whyrec ingest` again"
        ) from error
