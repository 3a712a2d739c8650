"""Titles as keys that two platforms write alike."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

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
    {
        "¢": "c",
        "$": "s",
        "ø": "o",
        "đ": "d",
        "ł": "l",
        "æ": "ae",
        "œ": "oe",
        "ß": "ss",
        "þ": "th",
        "ð": "d",
        "ı": "i",
    }
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
_SAME = _NUMBERS | {"doctor": "dr", "mister": "mr", "saint": "st", "versus": "vs"}
"""Words that platforms write in two ways."""
_ELIDED = re.compile(r"(?<!\w)l['’](?=\w)", re.IGNORECASE)
_SIGNS = re.compile("[²³¹⁰⁴-⁹½¼¾]")
_SPELT = re.compile(r"(?<!\S)[^\W\d](?: [^\W\d]){2,}(?!\S)")
"""A word in single letters, as in 'M*A*S*H'."""
_SQUEEZED = 6
"""Letters of a title that may be compared without its spaces."""
_CUTS = re.compile(
    r"(?P<gap>\s*[:;–—]\s*|\s+-+\s+|,\s+(?!(?:the|a|an)\b)|\s+or[:,]?\s+(?=\w))"
    r"|(?:['’]s|s['’]|\b(?:presents|in))(?P<gap_>\s+)",
    re.IGNORECASE,
)
_LEADING = re.compile(r"(?:the|a|an)\s", re.IGNORECASE)
"""Whoever's name is in front of a title has no article: "Wes Craven's", but not "The Caveman's"."""
_EPISODE = re.compile(r"\b(episode|part|chapter)\s+(\d+|[ivx]+)\s*$")
_FILLER = frozenset({"part", "vol", "volume", "chapter", "episode", "season", "series"})


@dataclass(frozen=True, slots=True)
class Piece:
    """The beginning or end of a title, as a key."""

    text: str
    cut: bool
    """Whether the title is cut there by a colon, dash, comma or 'or', or by a possessive or 'presents'."""
    front: bool = False
    """The beginning; otherwise the end."""
    episode: bool = False
    """Whether what stands before it ends in the number of an episode."""


@dataclass(frozen=True, slots=True)
class Title:
    """`main` and `others` (titles in brackets or after 'aka') as keys."""

    main: str
    others: tuple[str, ...] = ()
    written: str = ""
    """`main` with its article and with numbers as they were written."""
    front: str = field(default="", compare=False)
    """What `main` was made of."""

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """Proper parts of the main title from its beginning or to its end; made anew at each call."""
        return _pieces(self.front, self.main)

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.main, *self.others) if self.main else self.others

    @property
    def squeezed(self) -> tuple[str, ...]:
        """The keys without their spaces; short ones are left out."""
        made = (one.replace(" ", "") for one in self.keys)
        return tuple(one for one in made if len(one) >= _SQUEEZED)


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
    main = key(parts[0])
    front = parts[0] if main else text
    main = main or key(text)
    found = dict.fromkeys(made for other in others if (made := key(other)) and made != main)
    return Title(main, tuple(found), " ".join(_words(_article_first(front))), front)


def _pieces(text: str, main: str) -> tuple[Piece, ...]:
    """Every way to cut a title in two words, each half once; where there is a mark, the cut is a real one."""
    text = _article_first(text)
    found: dict[str, Piece] = {}
    for mark in _CUTS.finditer(text):
        possessive = mark["gap"] is None
        gap = "gap_" if possessive else "gap"
        before, after = text[: mark.start(gap)], text[mark.end(gap) :]
        episode = bool(_EPISODE.search(fold(before)))
        named = not (possessive and _LEADING.match(text))
        parts = [Piece(key(after), named, episode=episode)]
        if not possessive:
            parts.append(Piece(key(before), True, front=True))
        for part in parts:
            if part.text and part.text != main:
                found.setdefault(part.text, part)
    words = main.split()
    for at in range(1, len(words)):
        for half, front in ((words[:at], True), (words[at:], False)):
            found.setdefault(" ".join(half), Piece(" ".join(half), False, front))
    return tuple(found.values())


def _instalment(text: str) -> bool:
    """'Season 2', 'Part II': what tells it from its siblings belongs to the title."""
    return bool(numbers(key(text))) and (bool(_INSTALMENT.search(text)) or text.isdigit())


def key(text: str) -> str:
    """Case, diacritics, punctuation, a leading or moved article, '&' and ways to write numbers made alike."""
    words = [_SAME.get(word, word) for word in _words(_article_first(text))]
    if len(words) > 1 and words[0] in _ARTICLES:
        words = words[1:]
    return " ".join(words) or fold(text.strip())


def _article_first(text: str) -> str:
    text = text.strip()
    moved = _MOVED.match(text)
    if moved and fold(moved["article"]).strip() in _ARTICLES:
        return f"{moved['article']} {moved['rest']}"
    return text


def _words(text: str) -> list[str]:
    """Folded words. An elided article stands by itself, and so do figures that are written as signs."""
    text = _SIGNS.sub(lambda sign: f" {unicodedata.normalize('NFKC', sign[0])} ", text)
    text = _ELIDED.sub("l ", text.replace("&", " and ").replace("+", " and "))
    folded = _SPELT.sub(lambda letters: letters[0].replace(" ", ""), _SPLIT.sub(" ", fold(text)).strip())
    return folded.split()


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
