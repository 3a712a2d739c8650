"""How commands print: tables and progress for people, JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def console(*, stderr: bool = False) -> Console:
    """A console that reads no markup, emoji names or colours out of what it prints.

    Titles and names are untrusted: pass them as plain text, style with rich.text.Text.
    """
    from rich.console import Console

    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


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
