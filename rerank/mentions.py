"""A reason as tokens: what it names of the known world, numbers, and the words in between."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from recall.types import Item
from rerank.grammar import ALIKE, ASKED, DEEDS, FACT_WORDS, ITEM, NUMBERS, PREDICT, TURN
from rerank.knowledge.told import forms, normal, value_of
from rerank.knowledge.types import Fact
from rerank.lexicon import plain_words
from rerank.untrusted import clean
from rerank.wording import WISH_CHARS

if TYPE_CHECKING:
    from rerank.reasons import ReasonTask

Kind = Literal[
    "title", "creator", "platform", "category", "fact", "number", "date", "word", "mark", "wish", "unknown"
]


@dataclass(frozen=True, slots=True)
class Token:
    """`names` are what it may stand for: item ids of a title, the spelling of the other kinds."""

    kind: Kind
    text: str
    names: frozenset[str] = frozenset()


_PART = re.compile(
    r"(?P<date>\d{4}-\d{2}(?:-\d{2})?)|(?P<number>\d+(?:[.,]\d+)*)|(?P<latin>[A-Za-z]+(?:['-][A-Za-z]+)*)"
    r"|(?P<wide>[\u3400-\u9fff]+)|(?P<space>\s+)|(?P<mark>.)",
    re.DOTALL,
)
_QUOTES = str.maketrans("’‘“”「」", "''\"\"《》")
_GIVE_UP = re.compile(r"\bgave up(?: on)?\b", re.IGNORECASE)
_ARTICLE = re.compile(r"^(.*), (The|A|An|Les|La|Le|L'|Das|Der|Die|El|Il)$")


def plain(text: str) -> str:
    """One kind of apostrophe and of quotes."""
    return text.translate(_QUOTES)


def spellings(item: Item) -> set[str]:
    """How an item's titles may be written: without brackets, the article moved or left out."""
    found: set[str] = set()
    for title in (item.title, *(listing.title for listing in item.listings)):
        whole = plain(clean(title, 120))
        for form in (whole, re.sub(r"\s*\([^()]*\)\s*$", "", whole)):
            moved = _ARTICLE.match(form)
            found |= {form, f"{moved[2]} {moved[1]}", moved[1]} if moved else {form}
            if form.startswith("The ") and len(form) > 9:
                found.add(form[4:])
    return {form for form in found if form.strip()}


def vocabulary_of(task: ReasonTask) -> Vocabulary:
    """What reasons of this task may name. Costs milliseconds for hundreds of titles: made once per task."""
    platforms = {event.platform for line in task.summary.lines for event in line.events}
    platforms |= {name for item in task.items for name in item.platforms} | set(task.settings.silent)
    platforms |= {task.platform} if task.platform else set()
    extra = {part for word in task.prompt.words.values() for part in word.lower().split()}
    wish = plain(clean(task.wish or "", WISH_CHARS)).lower()
    facts = [fact for one in task.shared for fact in (one.fact, *(other for _, other in one.lines))]
    return Vocabulary([*task.known.values(), *task.items], platforms, task.language, extra, wish, facts)


class Vocabulary:
    """What may be named, and the plain words, of one task."""

    def __init__(
        self,
        items: Iterable[Item],
        platforms: Iterable[str],
        language: str,
        extra: Iterable[str] = (),
        wish: str = "",
        facts: Iterable[Fact] = (),
    ) -> None:
        self.language = language
        self.wishes = {part.strip() for part in [wish, *re.split(r"[,.;，。；、]", wish)]} - {""}
        grammar = (PREDICT, ASKED, ITEM, TURN, ALIKE)
        self.words = plain_words(language).union(
            DEEDS[language], NUMBERS[language], *(words[language] for words in grammar), extra
        )
        self.longest = max(map(len, self.words))
        self.titles: dict[str, set[str]] = {}
        self.names: dict[str, tuple[Kind, str]] = {}
        for item in items:
            for form in spellings(item):
                self.titles.setdefault(form, set()).add(item.id)
            for name in item.creators:
                shown = plain(clean(name, 60))
                last = shown.split()[-1:] or [shown]
                for form in {shown, *(part for part in last if len(part) > 3)}:
                    self.names[form] = ("creator", shown)
            for name in item.categories:
                shown = plain(clean(name, 40))
                for form in _forms(shown.lower()):
                    self.names[form] = ("category", shown.lower())
        for name in platforms:
            self.names[plain(clean(name, 40)).lower()] = ("platform", name)
        self._add_facts(facts)
        self._pattern = self._compile()

    def _add_facts(self, facts: Iterable[Fact]) -> None:
        """Values that hold a name of the known world are left out: what they cover would go unseen."""
        values = {value_of(fact): fact for fact in facts}
        if not values:
            return
        self.words = self.words.union(FACT_WORDS[self.language])
        self.longest = max(map(len, self.words))
        known = {form.lower() for form in (*self.titles, *self.names)}
        for value in values:
            parts = _parts(value.lower())
            if not parts & known:
                for form in forms(value):
                    self.names.setdefault(form, ("fact", normal(value)))

    def _compile(self) -> re.Pattern[str]:
        exact = [form for form in self.titles if not self._common(form)]
        quoted = [form for form in self.titles if self._common(form)]
        creators = [form for form, (kind, _) in self.names.items() if kind == "creator"]
        loose = [form for form, (kind, _) in self.names.items() if kind != "creator"]
        parts = []
        for form in sorted([*exact, *creators], key=len, reverse=True):
            parts.append(_edge(form))
        for form in sorted(quoted, key=len, reverse=True):
            parts.append(rf'(?<=["《]){re.escape(form)}(?=[,.!?]?["》])')
            if form[0].isupper() and form[0].isascii():  # inside a sentence its capital tells it apart
                parts.append(rf"(?<=[a-z,;:)] ){_edge(form)}")
        for form in sorted(loose, key=len, reverse=True):
            parts.append(f"(?i:{_edge(form)})")
        parts += [f"(?i:{_edge(part)})" for part in sorted(self.wishes, key=len, reverse=True)]
        return re.compile("|".join(parts) or r"(?!)")

    def _common(self, form: str) -> bool:
        """Whether a title reads like plain words ('It', 'Up'), so that only quotes make it a title."""
        words = re.findall(r"[a-z']+", form.lower())
        wide = re.search("[\u3400-\u9fff]", form)
        return bool(wide) or (len(words) < 2 and all(word in self.words for word in words))

    def tokens(self, text: str) -> list[Token]:
        """The text's tokens, spaces left out. Every name is matched in full, the longest first."""
        text, at = _GIVE_UP.sub("gave-up", plain(text)), 0
        found: list[Token] = []
        for match in self._pattern.finditer(text):
            found += self._between(text[at : match.start()])
            found.append(self._named(match[0]))
            at = match.end()
        return found + list(self._between(text[at:]))

    def _named(self, form: str) -> Token:
        if form in self.titles:
            return Token("title", form, frozenset(self.titles[form]))
        named = self.names.get(form) or self.names.get(form.lower())
        if named is None:
            return Token("wish", form)
        kind, name = named
        return Token(kind, form, frozenset({name}))

    def _between(self, text: str) -> Iterator[Token]:
        for part in _PART.finditer(text):
            group = part.lastgroup
            if group == "wide":
                yield from self._segment(part[0])
            elif group == "latin":
                known = part[0].lower() in self.words
                yield Token("word" if known else "unknown", part[0])
            elif group in ("date", "number", "mark"):
                yield Token(group, part[0])  # type: ignore[arg-type]

    def _segment(self, text: str) -> list[Token]:
        """Chinese without spaces: the fewest known words that cover it; unknown where nothing does."""
        best: list[tuple[int, list[str]] | None] = [(0, []), *([None] * len(text))]
        for end in range(1, len(text) + 1):
            for start in range(max(0, end - self.longest), end):
                before = best[start]
                if before is not None and text[start:end] in self.words:
                    cost = before[0] + 1
                    known = best[end]
                    if known is None or cost < known[0]:
                        best[end] = (cost, [*before[1], text[start:end]])
        whole = best[len(text)]
        if whole is None:
            return [Token("unknown", text)]
        return [Token("word", word) for word in whole[1]]


def _parts(text: str) -> set[str]:
    """Every run of its words, or of its characters where it is Chinese; the text itself is one."""
    pieces = re.findall("[\u3400-\u9fff]|[^\\s\u3400-\u9fff]+", text)
    joint = "" if re.search("[\u3400-\u9fff]", text) else " "
    every = range(len(pieces))
    runs = {joint.join(pieces[a : b + 1]) for a in every for b in every if a <= b}
    return runs | {part for run in runs for part in run.split("-")}


def _edge(form: str) -> str:
    return rf"(?<![A-Za-z0-9]){re.escape(form)}(?![A-Za-z0-9])"


def _forms(name: str) -> set[str]:
    """A category and its plural: drama, dramas; comedy, comedies."""
    forms = {name, name + "s", name.replace("-", " ")}
    return forms | {name[:-1] + "ies"} if name.endswith("y") else forms
