"""A trained artefact: a folder of plain arrays and a manifest, opened memory-mapped.

    manifest.json           format, data build, configuration, versions, platforms; for each file its
                            sha256, bytes, dtype and shape
    items.npy               item ids, sorted
    catalogue/listed.npy    bool, platforms × items
    NAME/ARRAY.npy          each recaller's arrays

Opening checks that every file is there with the size and header that the manifest states; `verify` also
reads them against their sha256, which is done once, before an artefact is made current. No pickle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recall.errors import ArtefactError
from recall.generations import Generations
from recall.idmap import IdMap

FORMAT = 2
_FILE = r"^[a-z0-9_-]{1,40}(/[a-z0-9_-]{1,40})?\.npy$"


class FileEntry(BaseModel):
    """What the manifest states of one array."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)
    dtype: str
    shape: tuple[int, ...]


class Manifest(BaseModel):
    """manifest.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int
    """Refused unless it is FORMAT."""
    build: str
    """Name of the data build that it was trained on."""
    reference_time: int
    """UTC seconds: the build's."""
    trained: int
    """UTC seconds."""
    config: dict[str, Any]
    """The [train] section, seed included."""
    versions: dict[str, str]
    platforms: tuple[str, ...]
    figures: dict[str, float] = {}
    """Counts and durations of the training, for people."""
    files: dict[Annotated[str, Field(pattern=_FILE)], FileEntry]


@dataclass(frozen=True, slots=True)
class Artefact:
    """An open artefact. Arrays are mapped copy-on-write: writing to one never reaches the file."""

    name: str
    manifest: Manifest
    items: IdMap
    listed: np.ndarray
    """bool, platforms × items"""
    arrays: Mapping[str, Mapping[str, np.ndarray]]
    """Of each recaller by name."""

    @property
    def platforms(self) -> tuple[str, ...]:
        return self.manifest.platforms

    @classmethod
    def open(cls, folder: Path) -> Artefact:
        """ArtefactError, with the reason, when anything is missing, truncated or does not fit together."""
        manifest = read_manifest(folder)
        arrays: dict[str, dict[str, np.ndarray]] = {}
        for file, entry in manifest.files.items():
            group, _, name = file.removesuffix(".npy").rpartition("/")
            arrays.setdefault(group, {})[name] = _map(folder, file, entry)
        try:
            ids, listed = arrays.pop("")["items"], arrays.pop("catalogue")["listed"]
        except KeyError as error:
            raise _refused(folder, f"its manifest names no {error.args[0] or 'items'!r}") from None
        _check_shapes(folder, manifest, ids, listed, arrays)
        views = {name: MappingProxyType(mine) for name, mine in arrays.items()}
        return cls(folder.name, manifest, IdMap(ids), listed, MappingProxyType(views))


def write_artefact(
    folder: Path,
    *,
    manifest: Mapping[str, Any],
    items: IdMap,
    listed: np.ndarray,
    arrays: Mapping[str, Mapping[str, np.ndarray]],
) -> None:
    """Write arrays and manifest into an empty folder; `manifest` holds all fields but format and files."""
    flat = {"items": items.ids, "catalogue/listed": listed}
    flat |= {f"{group}/{name}": array for group, mine in arrays.items() for name, array in mine.items()}
    files = {}
    for name, array in flat.items():
        path = folder / f"{name}.npy"
        path.parent.mkdir(exist_ok=True)
        array = np.ascontiguousarray(array)
        np.save(path, array, allow_pickle=False)
        size = path.stat().st_size
        entry = FileEntry(sha256=_sha256(path), bytes=size, dtype=array.dtype.str, shape=array.shape)
        files[f"{name}.npy"] = entry
    whole = Manifest(format=FORMAT, files=files, **manifest)
    (folder / "manifest.json").write_text(whole.model_dump_json(indent=1))


def read_manifest(folder: Path) -> Manifest:
    """The manifest alone; ArtefactError when it is missing, damaged or of another format."""
    try:
        raw = json.loads((folder / "manifest.json").read_bytes())
        if isinstance(raw, dict) and raw.get("format") != FORMAT:
            raise _refused(folder, f"it has format {raw.get('format')!r}, this version reads {FORMAT}")
        return Manifest.model_validate(raw)
    except (OSError, ValueError) as error:
        reason = (
            "is not what was written" if isinstance(error, ValidationError) else f"can't be read ({error})"
        )
        raise _refused(folder, f"manifest.json {reason}") from error


def builds_in_use(models: Generations) -> frozenset[str]:
    """Names of the builds that artefacts were trained on; one that can't be read names none."""
    found = set()
    for name in models.names():
        with suppress(ArtefactError):
            found.add(read_manifest(models.folder / name).build)
    return frozenset(found)


def verify(folder: Path) -> Artefact:
    """Open it and read every file against its sha256."""
    artefact = Artefact.open(folder)
    for file, entry in artefact.manifest.files.items():
        if _sha256(folder / file) != entry.sha256:
            raise _refused(folder, f"{file} has another content than when it was written (sha256)")
    return artefact


def activate(models: Generations, name: str) -> Artefact:
    """Verify an artefact, then make it current. On ArtefactError the previous one stays current."""
    if name in models.names():
        verify(models.folder / name)
    return Artefact.open(models.use(name))


def _map(folder: Path, file: str, entry: FileEntry) -> np.ndarray:
    try:
        size = (folder / file).stat().st_size
        if size != entry.bytes:
            raise _refused(folder, f"{file} has {size} bytes, {entry.bytes} were written")
        # A mapping 'r' would give the compiled kernels a second, read-only type to compile for.
        mode: Any = "c" if 0 not in entry.shape else None
        array: np.ndarray = np.load(folder / file, mmap_mode=mode, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise _refused(folder, f"{file} can't be read ({error})") from error
    if array.dtype.str != entry.dtype or array.shape != entry.shape or not array.flags.c_contiguous:
        found = f"{array.dtype.str} {array.shape}"
        raise _refused(folder, f"{file} holds {found}, {entry.dtype} {entry.shape} was written")
    return array.view(np.ndarray)


def _check_shapes(
    folder: Path,
    manifest: Manifest,
    ids: np.ndarray,
    listed: np.ndarray,
    arrays: Mapping[str, Mapping[str, np.ndarray]],
) -> None:
    if ids.dtype.kind != "S" or ids.ndim != 1:
        raise _refused(folder, "items.npy does not hold ids")
    if listed.shape != (len(manifest.platforms), len(ids)):
        raise _refused(folder, f"catalogue/listed.npy is {listed.shape}, not platforms × items")
    als = arrays.get("als")
    if als is None:
        return
    expected = {"place", "gram", "confidence", "sorted", "order", "norms"}
    if missing := expected - als.keys():
        raise _refused(folder, f"als/{min(missing)}.npy is not in its manifest")
    k, m = als["gram"].shape[-1], len(als["order"])
    shapes = {"place": (len(ids),), "gram": (k, k), "confidence": (4,), "sorted": (m, k), "norms": (m,)}
    for name, shape in shapes.items():
        if als[name].shape != shape:
            raise _refused(
                folder, f"als/{name}.npy is {als[name].shape}; beside {len(ids)} items it must be {shape}"
            )


def _refused(folder: Path, reason: str) -> ArtefactError:
    return ArtefactError(
        f"artefact {folder}: {reason}; train again, or choose another one with `whyrec models use`"
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
