"""Plain words that a reason may use because they claim nothing: one file per language.

Left out on purpose: praise, plots, awards, other people's opinions, roles (director, actor), quantities such
as all and most, times such as yesterday. What is not listed must come from the evidence.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path


@lru_cache
def plain_words(language: str) -> frozenset[str]:
    """The words of one language."""
    path = Path(__file__).parent / f"{language}.txt"
    return frozenset(path.read_text(encoding="utf-8").split())
