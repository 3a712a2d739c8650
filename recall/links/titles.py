"""Titles as keys that two platforms write alike."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_ENGLISH = {"the", "a", "an"}
_ROMANCE = {"la", "le", "l", "les", "las", "los", "el", "il", "lo", "i", "gli", "un", "une", "uno", "una"}
_IBERIAN = {"o", "os", "as"}
_GERMANIC = {"der", "die", "das", "ein", "eine", "de", "het", "den", "det"}
_ARTICLES = frozenset(_ENGLISH | _ROMANCE | _IBERIAN | _GERMANIC)
_MOVED = re.compile(r"^(?P<rest>.+),\s*(?P<article>[^\W\d_]{1,4}'?)$")
_BRACKETS = re.compile(r"[(\[]([^()\[\]]*)[)\]]")
_AKA = re.compile(r"\s*,?\s*(?:\ba\.?k\.?a\b\.?|\balso known as\b)\s*:?\s*", re.IGNORECASE)
_EDITION = re.compile(
    r"\b(edition|cut|version|dvd|blu-?ray|vhs|uhd|4k|hd|3-?d|imax|widescreen|full ?screen|remaster(ed)?|"
    r"restored|unrated|uncut|extended|anniversary|collector'?s?|subtitled|dubbed|tv|mini-?series|"
    r"region \d|\d-?discs?|box ?set|paperback|hardcover|kindle|audiobook|audio cd|cd|vinyl)\b",
    re.IGNORECASE,
)
_INSTALMENT = re.compile(
    r"\b(season|series|part|vol|volume|episode|chapter|book|staffel|saison|temporada|teil)\b", re.IGNORECASE
)
_YEAR = re.compile(r"^(1[89]|20)\d\d$")
_LETTERS = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "ß": "ss", "þ": "th", "ð": "d", "ı": "i"}
)
_DROPPED = re.compile(r"['’‘`´ʻ.]")
_SPLIT = re.compile(r"[\W_]+")
_WORDS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
)
_ROMAN = "i ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix xx"
_NUMBERS = {word: str(n) for n, word in enumerate(_WORDS.split(), 1)} | {
    roman: str(n) for n, roman in enumerate(_ROMAN.split(), 1) if roman != "i"
}
_FILLER = frozenset({"part", "vol", "volume", "chapter", "episode", "season", "series"})


@dataclass(frozen=True, slots=True)
class Title:
    """`main` and `others` (titles in brackets or after 'aka') as keys."""

    main: str
    others: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.main, *self.others) if self.main else self.others


def parse_title(text: str) -> Title:
    """Keys of a title; empty for an empty one.

    Editions, formats and years in brackets count for nothing; 'Season 2' in brackets belongs to the title.
    """
    inside = [part.strip() for part in _BRACKETS.findall(text)]
    outside = _BRACKETS.sub(" ", text).strip() or text
    for part in inside:
        if _instalment(part) and not _YEAR.match(part):
            outside = f"{outside} {part}"
    parts = _AKA.split(outside)
    others = parts[1:]
    for part in inside:
        if not (_YEAR.match(part) or _instalment(part) or _EDITION.search(part)):
            others += [piece for piece in _AKA.split(part) if piece.strip()]
    main = key(parts[0]) or key(text)
    found = dict.fromkeys(made for other in others if (made := key(other)) and made != main)
    return Title(main, tuple(found))


def _instalment(text: str) -> bool:
    """'Season 2', 'Part II': what tells it from its siblings belongs to the title."""
    return bool(numbers(key(text))) and (bool(_INSTALMENT.search(text)) or text.isdigit())


def key(text: str) -> str:
    """Case, diacritics, punctuation, a leading or moved article, '&' and ways to write numbers made alike."""
    text = text.strip()
    moved = _MOVED.match(text)
    if moved and fold(moved["article"]).strip() in _ARTICLES:
        text = f"{moved['article']} {moved['rest']}"
    folded = fold(text.replace("&", " and ").replace("+", " and "))
    words = [_NUMBERS.get(word, word) for word in _SPLIT.split(folded) if word]
    if len(words) > 1 and words[0] in _ARTICLES:
        words = words[1:]
    return " ".join(words) or folded


def fold(text: str) -> str:
    """Lower case without diacritics, apostrophes and dots."""
    text = unicodedata.normalize("NFKD", text.casefold()).translate(_LETTERS)
    return _DROPPED.sub("", "".join(char for char in text if not unicodedata.combining(char)))


def numbers(made: str) -> tuple[str, ...]:
    """The numbers of a key, sorted: sequels and seasons differ in them."""
    return tuple(sorted(word for word in made.split() if word.isdigit()))


def sorted_tokens(made: str) -> str:
    """A key's words in order of the alphabet, without words like 'part'."""
    words = made.split()
    return " ".join(sorted(word for word in words if word not in _FILLER) or words)
