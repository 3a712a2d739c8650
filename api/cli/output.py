"""How commands print: tables and progress for people, JSON for programs."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 110
"""Columns of a table that goes into a file or a pipe."""

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Controls, line separators, direction overrides, lone surrogates."""


def console(*, stderr: bool = False) -> Console:
    """A console that reads no markup, emoji names or colours out of what it prints.

    Titles and names are untrusted: pass them as plain text, style with rich.text.Text.
    """
    from rich.console import Console

    made = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = PIPE_WIDTH
    return made


def plain(text: str) -> str:
    """Untrusted text for a terminal: controls and direction overrides become spaces.

    A title may hold escape sequences, which a terminal would obey; rich only removes a few of them.
    """
    return _UNPRINTABLE.sub(" ", text)


def print_json(value: Any) -> None:
    """`value` (dataclasses, Pydantic models, paths and sets included) as indented JSON on stdout.

    Lone surrogates, which a platform's titles may hold, are written escaped instead of failing.
    """
    import json
    import sys

    from pydantic_core import to_jsonable_python

    plain = to_jsonable_python(value, inf_nan_mode="null", fallback=str)
    text = json.dumps(plain, indent=2, ensure_ascii=False)
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")
