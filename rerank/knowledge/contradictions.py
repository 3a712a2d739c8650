"""Facts that go against what the catalogue says of an item: found by code, so that no model can talk past it.

Each rule looks only at what a value claims in so many words. "1944" as a setting says nothing of the year of
release; "a 1944 film" does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from recall.types import Item
from rerank.knowledge.grounding import LANGUAGES, words

YEARS_APART = 1
"""Catalogues differ so much about one work."""

ADULT, CHILD = 16, 7
"""Minimum ages from which nothing is for children, and up to which nothing is for adults only."""

_WORKS = (
    "film|films|movie|movies|release|album|single|song|record|novel|book|edition|course|post|game|series|"
    "thriller|drama|comedy|documentary|musical|western|production"
)
_YEAR = re.compile(
    rf"(?:released|release|published|issued|premiered|produced|made|recorded)(?:\s+\w+)?\s+in\s+((?:18|19|20)\d\d)\b"
    rf"|\b((?:18|19|20)\d\d)\s+(?:[\w-]+\s+){{0,2}}(?:{_WORKS})\b"
    r"|((?:18|19|20)\d\d)\s*年(?:的)?(?:电影|影片|上映|发行|出版|专辑|小说)"
)
_DECADE = re.compile(rf"\b((?:18|19|20)\d0)s\s+(?:[\w-]+\s+){{0,2}}(?:{_WORKS})\b")
_MAKER = re.compile(
    r"\b(?:directed|written|created|composed|sung|performed|recorded|authored|taught|produced|made)\s+by\s+(.+)"
    r"|\b(?:director|author|creator|composer|singer|artist|brand|teacher|instructor)\s*[:：]\s*(.+)",
    re.IGNORECASE,
)
_NAMES = {name: code for code, names in LANGUAGES.items() for name in names}
_LANGUAGE = re.compile(
    rf"\b({'|'.join(_NAMES)})[\s-]+(?:language|spoken|dialogue|lyrics|audio|text)\b"
    rf"|\b(?:spoken|sung|written|taught|narrated|told|filmed|language)\s*(?:in|is|:)?\s+({'|'.join(_NAMES)})\b"
    rf"|({'|'.join(name for name in _NAMES if not name.isascii())})",
    re.IGNORECASE,
)
_AGES = re.compile(
    r"\b(?:ages?|age|from)?\s*(\d{1,2})\s*(?:\+|and (?:up|over|older)|years and up)|(\d{1,2})\s*岁以上"
)
_CHILDREN = re.compile(
    r"\b(?:kids?|child|children|toddlers?|preschoolers?|family|families|all ages|everyone)\b"
    r"|儿童|幼儿|全家|老少皆宜",
    re.IGNORECASE,
)
_ADULTS = re.compile(r"\badults?[\s-]only\b|\bmature (?:audiences?|adults?)\b|仅限成人|成人向", re.IGNORECASE)
_FORMS = {
    "documentary": re.compile(r"\bdocumentar(?:y|ies)\b|纪录片", re.IGNORECASE),
    "animation": re.compile(r"\b(?:animation|animated|anime|cartoons?)\b|动画", re.IGNORECASE),
    "musical": re.compile(r"\bmusicals?\b|音乐剧|歌舞片", re.IGNORECASE),
    "western": re.compile(r"\bwesterns?\b|西部片", re.IGNORECASE),
    "non-fiction": re.compile(r"\bnon-?fiction\b|非虚构", re.IGNORECASE),
}
_AGAINST = {
    "animation": re.compile(r"\blive[\s-]action\b|真人", re.IGNORECASE),
    "documentary": re.compile(r"\bfictional\b|虚构故事", re.IGNORECASE),
}
_NEGATED = re.compile(r"\b(?:not|no|non|isn't|without|unlike|rather than|anti)\b|不是|并非", re.IGNORECASE)


def contradiction(kind: str, value: str, item: Item, catalogue: Collection[str] = ()) -> str | None:
    """The attribute that a value contradicts: year, creators, language, min_age or categories; None: none.

    `catalogue` holds all categories that the item's catalogues use, case folded: that a form such as
    documentary is missing from an item says something only where the catalogue knows that form.
    """
    for name, against in _RULES.items():
        if against(kind, value, item):
            return name
    return "categories" if _categories(value, item, catalogue) else None


def _year(kind: str, value: str, item: Item) -> bool:
    if item.year is None:
        return False
    for match in _YEAR.finditer(value.casefold()):
        if abs(int(next(filter(None, match.groups()))) - item.year) > YEARS_APART:
            return True
    return any(
        not int(match[1]) - YEARS_APART <= item.year <= int(match[1]) + 9 + YEARS_APART
        for match in _DECADE.finditer(value.casefold())
    )


def _creators(kind: str, value: str, item: Item) -> bool:
    if not item.creators:
        return False
    mine = words(" ".join(item.creators))
    claimed = [words(next(filter(None, match.groups()))) for match in _MAKER.finditer(value)]
    return any(names and not names & mine for names in claimed)


def _language(kind: str, value: str, item: Item) -> bool:
    said = (item.language or "").casefold()
    mine = said if said in LANGUAGES else _NAMES.get(said)
    if mine is None or _NEGATED.search(value):
        return False
    found = (next(filter(None, match.groups())).casefold() for match in _LANGUAGE.finditer(value))
    return any(_NAMES[name] != mine for name in found)


def _min_age(kind: str, value: str, item: Item) -> bool:
    if item.min_age is None or kind not in ("audience", "line") or _NEGATED.search(value):
        return False
    if item.min_age >= ADULT and _CHILDREN.search(value):
        return True
    if item.min_age <= CHILD and _ADULTS.search(value):
        return True
    ages = [int(next(filter(None, match.groups()))) for match in _AGES.finditer(value)]
    return any(age < item.min_age or (age >= 18 and item.min_age <= CHILD) for age in ages)


def _categories(value: str, item: Item, catalogue: Collection[str]) -> bool:
    if not item.categories or _NEGATED.search(value):
        return False
    mine = " ".join(item.categories).casefold()
    known = " ".join(catalogue)
    for form, pattern in _FORMS.items():
        if pattern.search(value) and not pattern.search(mine) and pattern.search(known):
            return True
        if form in _AGAINST and _AGAINST[form].search(value) and pattern.search(mine):
            return True
    return False


_RULES: dict[str, Callable[[str, str, Item], bool]] = {
    "year": _year,
    "creators": _creators,
    "language": _language,
    "min_age": _min_age,
}
