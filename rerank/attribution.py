"""Whose a category, creator or year is, and whether a verb tells of an event, by the words before it."""

from __future__ import annotations

import re
from collections.abc import Set

from rerank.grammar import BOTH_YEARS, DEEDS, FILLERS, NOT, PREDICT, TASTE
from rerank.mentions import Token
from rerank.support import Support, Wrong

OTHERS = frozenset({"i", "we", "they", "it", "who", "which"})
SUBJECTS = OTHERS | {"you", "you've", "you'd"}

_APPOSING = frozenset(
    (*'"》,，(', "a", "an", "the", "by", "is", "was", "are", "were", "which", "that", "出自", "是", "都是")
)
"""May stand between a title and the category or creator that is said of it."""


def is_deed(word: str, before: list[str], language: str) -> bool:
    if word not in DEEDS[language]:
        return False
    if word == "like":  # the verb has the person before it; else it is a likeness
        return bool(before) and (
            before[-1] in {"you", "really", "also"} or before[-1] in NOT or before[-1] in PREDICT["en"]
        )
    return not (word == "love" and before and before[-1] != "your" and "you" not in before)


def owner(tokens: list[Token], place: int, cited: Set[str], language: str) -> str | frozenset[str]:
    """Whose the category or creator is: the item's, a cited title's (ids), or the history's."""
    at = place - 1
    while at >= 0:
        token, word = tokens[at], tokens[at].text.lower()
        if token.kind == "title":
            near = {t.text.lower() for t in tokens[at + 1 : place]}
            apposed = tokens[at + 1 : at + 2] and near <= _APPOSING
            known = token.names & cited
            return frozenset(known) if apposed and known else "item"
        if token.kind == "word" and (word in DEEDS[language] or word in TASTE[language]):
            before = [t.text.lower() for t in tokens[max(0, at - 3) : at]]
            future = any(part in PREDICT["en"] for part in before)
            return "item" if future or not (is_deed(word, before, language) or "your" in before
                                            or language == "zh") else "history"  # fmt: skip
        passed = word in FILLERS[language] or word in _APPOSING
        if not passed and token.kind not in ("category", "creator"):
            return "item"
        at -= 1
    return "item"


def same_year(tokens: list[Token], known: Support, language: str) -> None:
    """A year that is said of both must be that of the item and of every cited title."""
    words = {token.text.lower() for token in tokens}
    named = [i for t in tokens if t.kind == "title" for i in t.names & known.cited.keys()]
    years = {float(t.text) for t in tokens if t.kind == "number" and re.fullmatch(r"(19|20)\d\d", t.text)}
    if not years or not named or not words & BOTH_YEARS[language]:
        return
    items = [known.task.known.get(i) for i in named]
    own = {float(i.year) if i is not None and i.year is not None else None for i in (*items, known.item)}
    if own != years:
        raise Wrong("number")


def predicted(before: list[str]) -> bool:
    """Whether the words before a verb make it one of the future: may, will also, to."""
    if before[-1:] == ["to"]:
        return True
    for place in range(len(before) - 1, -1, -1):
        if before[place] in SUBJECTS or before[place] in ("what", "that"):
            return before[place] in PREDICT["en"]
        if before[place] in PREDICT["en"] and before[place] != "to":
            return True
    return False
