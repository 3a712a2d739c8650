"""Whether an item's own text carries a value: decided by its words, whatever the model says it read."""

from __future__ import annotations

import re
from functools import lru_cache

from recall.types import Item
from rerank.knowledge.schema import SOURCES

SHARE = 0.6
"""Part of a value's words that a field must hold, so that it states it."""
SENTENCE = 0.8
"""Of a sentence, which has words enough to bring in a name or two that nothing states."""

_WORD = re.compile(r"[^\W_]+")
_IDEOGRAPH = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7ff]")
_EMPTY_WORDS = """
a an the of for in on at to and or with without by from into about as is are was be been it its this that
these those his her their who which very some more most story film films movie movies book books product item
track song post course
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())
"""Words that say nothing of an item."""

_ENDINGS = ("ations", "ation", "ings", "ing", "ness", "ies", "ed", "es", "ly", "al", "s", "y")

_LANGUAGE_NAMES = """
en english 英语
fr french 法语
de german 德语
es spanish 西班牙语
it italian 意大利语
pt portuguese 葡萄牙语
nl dutch 荷兰语
ru russian 俄语
ja japanese 日语
zh chinese mandarin cantonese 中文 汉语
ko korean 韩语
hi hindi 印地语
ar arabic 阿拉伯语
sv swedish 瑞典语
da danish 丹麦语
no norwegian 挪威语
fi finnish 芬兰语
pl polish 波兰语
cs czech 捷克语
tr turkish 土耳其语
el greek 希腊语
he hebrew 希伯来语
fa persian farsi 波斯语
th thai 泰语
vi vietnamese 越南语
hu hungarian 匈牙利语
ro romanian 罗马尼亚语
uk ukrainian 乌克兰语
"""
LANGUAGES = {code: tuple(names) for code, *names in map(str.split, _LANGUAGE_NAMES.strip().splitlines())}
"""Two-letter code → its names in English and Chinese."""


def source_of(value: str, item: Item, stated: str) -> str | None:
    """The field of the item that carries the value: the stated one if it does, else the first that does."""
    fields = own_text(item)
    order = ([stated] if stated in fields else []) + [name for name in SOURCES if name != stated]
    return next((name for name in order if name in fields and carries(fields[name], value)), None)


def overall(value: str, item: Item) -> str | None:
    """As `source_of` for a sentence, which may draw on several fields: the one that gives most of it."""
    fields = own_text(item)
    if _share(value, " ".join(fields.values())) < SENTENCE:
        return None
    return max(fields, key=lambda name: _share(value, fields[name]))


def own_text(item: Item) -> dict[str, str]:
    """The item's fields that say anything, as text; titles of its listings belong to the title."""
    titles = dict.fromkeys([item.title, *(one.title for one in item.listings)])
    language = (item.language or "").casefold()
    found = {
        "title": " · ".join(titles),
        "year": "" if item.year is None else f"{item.year} {item.year // 10 * 10}s",
        "creators": " · ".join(item.creators),
        "categories": " · ".join(item.categories),
        "description": item.description or "",
        "language": " ".join([language, *LANGUAGES.get(language, ())]),
        "min_age": "" if item.min_age is None else f"{item.min_age} {_age_words(item.min_age)}",
    }
    return {name: text for name, text in found.items() if text.strip()}


def _age_words(age: int) -> str:
    if age >= 16:
        return "adults mature older 成人"
    return "children kids family families 儿童 全家" if age <= 7 else ""


def carries(text: str, value: str) -> bool:
    """Whether `text` holds at least SHARE of the value's words; a value without a word of its own is not."""
    return _share(value, text) >= SHARE


def _share(value: str, text: str) -> float:
    wanted = words(value)
    if not wanted:
        return 0.0
    have = _held(text)
    return sum(word in have for word in wanted) / len(wanted)


def words(text: str) -> frozenset[str]:
    """Stems of a text's words, and pairs of neighbouring ideographs; words that say nothing left out."""
    found = set()
    for word in _WORD.findall(text.casefold()):
        if _IDEOGRAPH.search(word):
            found |= {word[n : n + 2] for n in range(max(1, len(word) - 1))}
        elif word not in _EMPTY:
            found.add(_stem(word))
    return frozenset(found)


@lru_cache(maxsize=4096)
def _held(text: str) -> frozenset[str]:
    return words(text)


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word
