"""The fixed schema of what is read out of an item: kinds of facts by domain, and their words."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import yaml

FILE = Path(__file__).parent / "fields.yaml"


def version() -> int:
    """Grows with every change of kinds."""
    return int(_read()["version"])


def kinds(domain: str) -> tuple[str, ...]:
    """Kinds of facts of a domain, in the order of asking; an unknown domain has those of 'items'."""
    domains = _read()["domains"]
    return tuple(domains.get(domain) or domains["items"])


def meaning(kind: str, language: str) -> str:
    """What a kind stands for, in a few words. KeyError for an unknown one."""
    return cast(str, _read()["kinds"][kind][language])


@lru_cache
def _read() -> dict[str, Any]:
    return cast(dict[str, Any], yaml.safe_load(FILE.read_text(encoding="utf-8")))
