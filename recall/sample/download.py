"""Fetches MovieLens 100k, which the wheel of RecBole 1.2.1 carries.

The data set's terms allow use, not redistribution: it is fetched where it is used. pip does the fetching,
so an index, proxy or certificate that the user configured is honoured.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from recall.errors import DataError

REQUIREMENT = "recbole==1.2.1"
WHEEL = "recbole-1.2.1-py3-none-any.whl"
SHA256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"


def cache_folder() -> Path:
    """Where downloads are kept: $XDG_CACHE_HOME/whyrec, else ~/.cache/whyrec."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "whyrec"


def fetch_wheel(cache: Path | None = None) -> Path:
    """The verified wheel: from the cache, or downloaded with pip.

    A download that was cut off is never taken for a whole one: the file is renamed into the cache only
    when its checksum is right. DataError when it can't be fetched or is not the expected file.
    """
    folder = cache or cache_folder()
    wheel = folder / WHEEL
    if wheel.is_file() and _sha256(wheel) == SHA256:
        return wheel
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="download-", dir=folder) as temporary:
        _pip_download(Path(temporary))
        fresh = Path(temporary) / WHEEL
        if not fresh.is_file():
            found = ", ".join(sorted(path.name for path in Path(temporary).iterdir())) or "nothing"
            raise DataError(
                f"pip downloaded {found} for {REQUIREMENT}, not {WHEEL}; check your package index"
            )
        check_wheel(fresh)
        fresh.replace(wheel)
    return wheel


def check_wheel(wheel: Path) -> Path:
    """The same path when it is the expected file, else DataError."""
    if not wheel.is_file():
        raise DataError(f"{wheel}: no such file; leave --wheel out to download it with pip")
    found = _sha256(wheel)
    if found != SHA256:
        raise DataError(
            f"{wheel.name}: sha256 is {found[:16]}…, expected {SHA256[:16]}…; the file is not {REQUIREMENT} "
            "as published: try again, or check your package index"
        )
    return wheel


def _pip_download(folder: Path) -> None:
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--progress-bar=off"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), REQUIREMENT]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode == 0:
        return
    if "No module named pip" in ran.stderr:
        raise DataError(
            f"{sys.executable} has no pip: run `python -m ensurepip`, or give {WHEEL} with --wheel"
        )
    last = next((line for line in reversed(ran.stderr.splitlines()) if line.strip()), "no message")
    raise DataError(
        f"pip could not download {REQUIREMENT} (MovieLens 100k is inside): {last.strip()}. Is a package "
        f"index reachable? On a machine without one, copy {WHEEL} over and give it with --wheel FILE"
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
