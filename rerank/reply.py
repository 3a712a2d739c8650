"""Reading a model's listwise answer: whatever comes back, a permutation of what was sent.

Looked for in this order: a JSON object with "order", a JSON list, what is left of a truncated one, and lines
or lists of bare labels. Labels are only read where they stand as an entry of their own: a letter or number
inside a title or a sentence is never one.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_CHARS = 100_000
"""A longer reply is read up to here."""

_THINKING = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_UNCLOSED = re.compile(r"<(?:think|thinking|reasoning)>(?:(?!</).)*\Z", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```[\w-]*")
_KEY = re.compile(r'"(?:order|ranking|ranked|labels|result)"\s*:\s*\[')
_ENTRY = re.compile(r'\s*,?\s*"((?:[^"\\]|\\.){0,40})"')
_LINE = re.compile(r"""^\s*(?:[-*•]|\d{1,3}[.):])?\s*[\["'(]*([A-Za-z]{1,2})[\]"')]*\s*(?:$|[.:)\-–—|])""")
_LIST = re.compile(r"""^[\s\["'(]*[A-Za-z]{1,2}[\]"')\s]*(?:[>,;≻→][\s\["'(]*[A-Za-z]{1,2}[\]"')\s]*)+\.?$""")
_KEYS = ("order", "ranking", "ranked", "labels", "result")


@dataclass(frozen=True, slots=True)
class Order:
    """`order`: positions of what was sent, in the answer's order; the first `named` were named by the model,
    the rest follow in the order that they were sent. `repairs` counts what had to be mended, by kind."""

    order: tuple[int, ...]
    named: int
    repairs: Mapping[str, int]


def parse_order(text: str, labels: Sequence[str], sent: int | None = None) -> Order:
    """An order of the first `sent` of `labels` (None: all). Never raises; named is 0 if nothing was."""
    known = {label: place for place, label in enumerate(labels[: sent if sent is not None else len(labels)])}
    repairs: Counter[str] = Counter()
    order: list[int] = []
    seen: set[int] = set()
    for entry in _entries(text[:MAX_CHARS], repairs):
        place = _place(entry, known, repairs)
        if place is None:
            repairs["invented"] += 1
        elif place in seen:
            repairs["repeated"] += 1
        else:
            seen.add(place)
            order.append(place)
    missing = [place for place in range(len(known)) if place not in seen]
    if missing:
        repairs["missing"] += len(missing)
    return Order((*order, *missing), len(order), dict(repairs))


def strip_wrapping(text: str, repairs: Counter[str]) -> str:
    """The answer without thinking blocks and code fences."""
    bare = _UNCLOSED.sub(" ", _THINKING.sub(" ", text))
    if bare != text:
        repairs["thinking"] += 1
    unfenced = _FENCE.sub(" ", bare)
    if unfenced != bare:
        repairs["fence"] += 1
    return unfenced.strip()


def json_values(text: str) -> list[Any]:
    """Every JSON object or list that stands in the text and is not part of another, in order."""
    decoder, found, at = json.JSONDecoder(), [], 0
    failures = 0
    while failures < 200:
        starts = [place for place in (text.find("{", at), text.find("[", at)) if place >= 0]
        if not starts:
            break
        try:
            value, at = decoder.raw_decode(text, min(starts))
            found.append(value)
        except (ValueError, RecursionError):
            at = min(starts) + 1
            failures += 1
    return found


def _entries(text: str, repairs: Counter[str]) -> list[Any]:
    text = strip_wrapping(text, repairs)
    try:
        values = [json.loads(text)]
    except (ValueError, RecursionError):
        values = json_values(text)
        if values:
            repairs["prose"] += 1
    for value in reversed(values):  # a model that corrects itself does so at the end
        entries = _list_in(value)
        if entries:
            return entries
    keys = list(_KEY.finditer(text))
    if keys:
        repairs["truncated"] += 1
        entries, at = [], keys[-1].end()
        while part := _ENTRY.match(text, at):
            entries.append(part[1])
            at = part.end()
        return entries
    return _bare_labels(text, repairs)


def _list_in(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = next((value[key] for key in _KEYS if isinstance(value.get(key), list)), None)
    return value if isinstance(value, list) else []


def _bare_labels(text: str, repairs: Counter[str]) -> list[Any]:
    entries: list[Any] = []
    for line in text.splitlines():
        if _LIST.match(line):
            entries += re.findall(r"[A-Za-z]{1,2}", line)
        elif match := _LINE.match(line):
            entries.append(match[1])
    if entries:
        repairs["prose"] += 1
    return entries


def _place(entry: Any, known: Mapping[str, int], repairs: Counter[str]) -> int | None:
    if isinstance(entry, dict):
        entry = next((entry[key] for key in ("label", "item", "id") if isinstance(entry.get(key), str)), None)
        repairs["wrapped"] += 1
    if not isinstance(entry, str):
        return None
    if entry in known:
        return known[entry]
    mended = entry.strip(" []()\"'.:,").upper()
    if mended in known:
        repairs["mended"] += 1
        return known[mended]
    return None
