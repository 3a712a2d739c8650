"""Text as words. Item text and wishes are cut by the same rule, so that they meet."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 24
"""Characters of a word that count."""

_RUN = re.compile(r"[^\W_]+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]+")


def words(text: str, most: int = 400) -> list[str]:
    """At most `most` words, in order, without case and accents; single letters are left out.

    Scripts that put no spaces between words are cut into overlapping pairs of characters.
    """
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
        text = unicodedata.normalize("NFC", text)
    found: list[str] = []
    for match in _RUN.finditer(text.casefold()):
        run = match.group()
        if run.isascii() or not _UNSPACED.search(run):
            if len(run) > 1:
                found.append(run[:LONGEST])
        else:
            found.extend(_pairs(run))
        if len(found) >= most:
            return found[:most]
    return found


def _pairs(run: str) -> list[str]:
    found, at = [], 0
    for match in _UNSPACED.finditer(run):
        if match.start() - at > 1:
            found.append(run[at : match.start()][:LONGEST])
        span = match.group()
        found.extend(span[i : i + 2] for i in range(max(len(span) - 1, 1)))
        at = match.end()
    if len(run) - at > 1:
        found.append(run[at:][:LONGEST])
    return found
