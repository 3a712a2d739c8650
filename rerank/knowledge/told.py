"""Facts and statements in words: as a prompt shows them, and which values a sentence may name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rerank.grammar import ASKED, DEEDS, ITEM, NOT, NUMBERS, PREDICT, SEVERAL, TURN
from rerank.knowledge.types import Fact, Statement
from rerank.lexicon import plain_words
from rerank.untrusted import clean, quoted
from rerank.verbs import Language

VALUE_CHARS, LINE_CHARS, STATEMENT_CHARS = 60, 160, 240
"""Longer ones are cut in prompts."""

_KINDS = {
    "theme": ("theme", "主题"),
    "mood": ("mood", "氛围"),
    "style": ("style", "风格"),
    "setting": ("setting", "背景"),
    "audience": ("audience", "受众"),
    "level": ("level", "难度"),
    "use": ("use", "用途"),
    "entity": ("features", "涉及"),
    "line": ("about", "简介"),
}
_STATEMENTS = {
    "lasting": ("lasting taste", "长期口味"),
    "current": ("current interest", "近期兴趣"),
    "dislike": ("dislike", "不喜欢"),
    "habit": ("habit", "习惯"),
}


def kind_word(kind: str, language: Language) -> str:
    """What a fact is of, in a word; an unknown kind as it is called."""
    words = _KINDS.get(kind)
    return clean(kind, 20) if words is None else words[language == "zh"]


def described(facts: Sequence[Fact], language: Language) -> str:
    """'mood "slow-burn"; theme "revenge"': values of one kind together, in the order given; '' for none."""
    kinds: dict[str, list[str]] = {}
    for fact in facts:
        limit = LINE_CHARS if fact.kind == "line" else VALUE_CHARS
        kinds.setdefault(fact.kind, []).append(quoted(fact.value, limit))
    separator, comma = ("；", "、") if language == "zh" else ("; ", ", ")
    return separator.join(f"{kind_word(kind, language)} {comma.join(some)}" for kind, some in kinds.items())


def statement_line(statement: Statement, language: Language) -> str:
    """'lasting taste: "You like …"', the text as data."""
    word = _STATEMENTS[statement.kind][language == "zh"]
    return word + ("：" if language == "zh" else ": ") + quoted(statement.text, STATEMENT_CHARS)


# --- values that sentences may name ---

_FORM = re.compile(
    r"[A-Za-zÀ-ɏ]+(?:['-][A-Za-zÀ-ɏ]+)*(?: [A-Za-zÀ-ɏ]+(?:['-][A-Za-zÀ-ɏ]+)*){0,3}|(?:1[89]|20)\d0s"
)
_WIDE = re.compile("[\u3400-\u9fff]{2,12}")
_SUBJECTS = frozenset({"i", "we", "you", "they", "he", "she", "my", "our", "your", "yours", "their"})


def _saying(language: Language) -> frozenset[str]:
    tables = (DEEDS, NUMBERS, ASKED, ITEM, TURN, PREDICT)
    said = NOT.union(SEVERAL, _SUBJECTS, *(table[language] for table in tables))
    return said - {"love", "to"}


_SAYING = {"en": _saying("en"), "zh": _saying("zh")}
"""Words by which a sentence speaks of events, persons or numbers: a value with one could pass for that."""


def value_of(fact: Fact) -> str:
    """The value as text that may stand in a sentence: clean, without quotes."""
    return clean(fact.value, VALUE_CHARS).replace("’", "'").strip("'.,;:!? ")


def nameable(fact: Fact, language: Language) -> bool:
    """Whether a sentence in this language may name the value: one to four plain words, none of which says
    something about events, persons or numbers, and not all of which claim nothing anyway."""
    return fact.kind != "line" and _plain(value_of(fact), language)


@lru_cache(maxsize=100_000)
def _plain(value: str, language: Language) -> bool:
    if language == "zh" and _WIDE.fullmatch(value):
        said = _SAYING["zh"]
        known = plain_words("zh")
        return value not in known and not any(value[a:b] in said for a, b in _spans(len(value)))
    if not _FORM.fullmatch(value):
        return False
    words = re.split("[ -]", value.lower())
    return not set(words) & _SAYING["en"] and any(word not in plain_words("en") for word in words)


def _spans(length: int) -> Iterable[tuple[int, int]]:
    return ((a, b) for a in range(length) for b in range(a + 1, length + 1))


@lru_cache(maxsize=100_000)
def normal(value: str) -> str:
    """One spelling of near-equal values: case, accents, hyphens, a leading article and English plurals do
    not count, so 'Slow-Burn Mysteries' equals 'a slow burn mystery'."""
    text = unicodedata.normalize("NFKD", value.casefold().replace("’", "'"))
    text = "".join(char for char in text if not unicodedata.combining(char))
    words = [word for word in re.split(r"[\s_\-‐‑–/]+", text.strip(" .,;:!?'\"")) if word]
    if len(words) > 1 and words[0] in ("a", "an", "the"):
        words = words[1:]
    singular = " ".join(_singular(word) for word in words)
    return singular.removesuffix("的")


def _singular(word: str) -> str:
    if not word.isalpha():  # 1980s
        return word
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "'s")):
        return word[:-1]
    return word


def forms(value: str) -> set[str]:
    """How a sentence may spell a value, lower case: with spaces for hyphens, its last word plural or not."""
    lower = value.lower()
    found = {lower, lower.replace("-", " "), normal(value)}
    head, _, last = normal(value).rpartition(" ")
    if last.isascii() and last.isalpha():
        plural = last[:-1] + "ies" if re.search("[^aeiou]y$", last) else last + "s"
        found.add(f"{head} {plural}".strip())
        if "-" in lower:
            found.add(lower[: len(lower) - len(last)] + plural if lower.endswith(last) else lower)
    return {form for form in found if form}


@dataclass(frozen=True, slots=True)
class Common:
    """One value that two items carry, as each of them does."""

    mine: Fact
    other: Fact

    @property
    def confidence(self) -> float:
        return min(self.mine.confidence, self.other.confidence)


def in_common(mine: Sequence[Fact], others: Sequence[Fact], language: Language) -> list[Common]:
    """Nameable values that both carry, equal by `normal`, surest first."""
    theirs: dict[str, Fact] = {}
    for fact in others:
        theirs.setdefault(normal(fact.value), fact)
    found: dict[str, Common] = {}
    for fact in mine:
        key = normal(fact.value)
        if key in theirs and nameable(fact, language):
            found.setdefault(key, Common(fact, theirs[key]))
    return sorted(found.values(), key=lambda one: (-one.confidence, one.mine.kind, one.mine.value))
