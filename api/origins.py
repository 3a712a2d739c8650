"""Where each configured value comes from: a variable, the file, or the default. Secrets stay hidden."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from api.settings import Settings, hidden


@dataclass(frozen=True, slots=True)
class Value:
    """One key: `origin` is a variable's name, the file's, or "default"."""

    key: str
    value: Any
    origin: str


def values_of(settings: Settings, file: Path | None) -> list[Value]:
    """Every key in force, in the order of the sections; `file` None: there is none."""
    given = tomllib.loads(file.read_text(encoding="utf-8")) if file is not None else {}
    return [Value(key, hidden(key, value), _origin(key, given, file)) for key, value in _leaves("", settings)]


def _leaves(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, BaseModel):
        inner: Mapping[str, Any] = {name: getattr(value, name) for name in type(value).model_fields}
    elif isinstance(value, Mapping) and value:
        inner = value
    elif isinstance(value, list | tuple) and value and isinstance(value[0], BaseModel):
        inner = {str(place): each for place, each in enumerate(value)}
    else:
        yield prefix, value.get_secret_value() if isinstance(value, SecretStr) else value
        return
    for name, each in inner.items():
        yield from _leaves(f"{prefix}.{name}" if prefix else str(name), each)


def _origin(key: str, given: Any, file: Path | None) -> str:
    parts = key.split(".")
    for length in range(len(parts), 0, -1):
        name = "WHYREC_" + "__".join(parts[:length]).upper()
        if os.environ.get(name):
            return name
    if parts[0] == "llm" and parts[-1] in ("base_url", "api_key", "model") and len(parts) == 2:
        name = f"OPENAI_{parts[-1].upper()}"
        if os.environ.get(name):
            return name
    for part in parts:
        if isinstance(given, list) and part.isdigit() and int(part) < len(given):
            given = given[int(part)]
        elif isinstance(given, Mapping) and part in given:
            given = given[part]
        else:
            return "default"
    return str(file)
