"""Secrets that come as files, as container platforms mount them: KEY_FILE names a file that holds KEY."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from pathlib import Path

from recall.errors import ConfigError

_SUFFIX = "_FILE"
_ALONE = ("OPENAI_API_KEY", "WHYREC_KEY_SALT")
"""Variables outside the sections that may come from a file."""


def read_secret_files(environment: MutableMapping[str, str], is_key: Callable[[str], bool]) -> None:
    """Replace each KEY_FILE by KEY with the file's text, without the line end.

    `is_key` says whether a variable sets a key of the configuration: a key whose own name ends in _file stays
    what it is. ConfigError where both are given, or where the file can't be read.
    """
    for name in [each for each in environment if each.endswith(_SUFFIX)]:
        key = name.removesuffix(_SUFFIX)
        if not environment[name] or not (key in _ALONE or (is_key(key) and not is_key(name))):
            continue
        if environment.get(key):
            raise ConfigError(f"{key} and {name} are both set: keep one of them")
        try:
            text = Path(environment[name]).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{name}: {environment[name]}: can't be read: {error}") from error
        environment[key] = text
        del environment[name]
