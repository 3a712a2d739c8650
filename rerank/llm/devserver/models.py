"""What `whyrec llm serve MODEL` may name, made ready for vLLM: a folder, a GGUF file, or a hub's model."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from recall.errors import ConfigError, DataError, NotFound
from rerank.llm.devserver.environment import Environment, Say
from rerank.llm.weights import KNOWN, find_weights, pull, weights_folder

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""The values that --max-lora-rank takes."""

_HUB = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True)
class Served:
    """A model as vLLM takes it. `exact`: its weights are in float32, so log-probabilities should be too."""

    name: str
    source: str
    local: bool
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter: requests name it as they would a model."""

    name: str
    folder: Path
    rank: int


def prepare(model: str, environment: Environment, *, say: Say = lambda _: None) -> Served:
    """A folder with a config.json stays as it is; a GGUF file (a known name is pulled) is dequantised once;
    ORGANISATION/NAME is left for vLLM to fetch. NotFound for anything else."""
    path = Path(model).expanduser()
    if (path / "config.json").is_file():
        return Served(path.resolve().name, str(path.resolve()), local=True)
    if path.is_dir():
        raise NotFound(f"{path}: no config.json in it; name a model's folder or a GGUF file")
    try:
        file = find_weights(model)
    except NotFound:
        if model in KNOWN:
            say(f"bringing {model}")
            file = pull(model)
        elif _HUB.fullmatch(model) and path.suffix != ".gguf":
            return Served(model, model, local=False)
        else:
            raise
    return Served(file.stem, str(_dequantised(file, environment, say)), local=True, exact=True)


def read_adapter(text: str) -> Adapter:
    """NAME=FOLDER or FOLDER, as peft writes one; ConfigError where it is none."""
    name, equals, where = text.partition("=")
    folder = Path(where if equals else text).expanduser().resolve()
    name = name if equals else folder.name
    if not re.fullmatch(r"[\w.-]+", name):
        raise ConfigError(f"--adapter {text!r}: a name is made of letters, digits, '-', '_' and '.'")
    try:
        rank = json.loads((folder / "adapter_config.json").read_text())["r"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"--adapter {text!r}: {folder}/adapter_config.json can't be read or has no rank 'r'; "
            "name the folder that peft saved, as NAME=FOLDER"
        ) from error
    if not isinstance(rank, int) or not 1 <= rank <= RANKS[-1]:
        raise ConfigError(f"--adapter {text!r}: rank {rank!r}; vLLM takes 1 to {RANKS[-1]}")
    return Adapter(name, folder, rank)


def _dequantised(file: Path, environment: Environment, say: Say) -> Path:
    """The folder of this very file's model, made beside and put in place by one rename."""
    with file.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()[:12]
    target = weights_folder() / f"{file.stem}-{digest}"
    if (target / "config.json").is_file():
        return target
    say(f"dequantising {file.name} (once; half a minute for a small model)")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=target.parent, prefix=".dequantise-"))
    try:
        script = Path(__file__).with_name("dequantise.py")
        command = [str(environment.python), str(script), str(file.resolve()), str(part)]
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"}
        )
        if done.returncode:
            said = done.stderr.strip().splitlines()
            raise DataError(f"{file}: not dequantised: {said[-1] if said else 'no message'}")
        part.chmod(0o755)
        part.replace(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target
