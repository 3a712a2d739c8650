"""What a reason says of the person and of the item, held against the cited events and the item's facts.

A sentence is read from left to right as groups: a verb with the titles, platforms and numbers that belong to
it, or what is said of the recommended item. Each group must hold for one and the same event of each title.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rerank.attribution import OTHERS, SUBJECTS, is_deed, owner, predicted, same_year
from rerank.grammar import (
    ALIKE,
    ASKED,
    BOTH,
    CREATOR,
    DEEDS,
    DISLIKED,
    FACT_WORDS,
    ITEM,
    LIKED,
    NOT,
    NUMBERS,
    ONLY,
    PREDICT,
    SEVERAL,
    TURN,
)  # fmt: skip
from rerank.lexicon import plain_words
from rerank.mentions import Token, Vocabulary, vocabulary_of
from rerank.support import Group, Support, Wrong, attributes, number

if TYPE_CHECKING:
    from rerank.reasons import Draft, ReasonTask

_STOPS = frozenset(".!?。！？")
_BREAKS = frozenset(",;:，；：、")


def check_claims(draft: Draft, task: ReasonTask, vocabulary: Vocabulary | None = None) -> str | None:
    """The code of the first statement that nothing supports, or None."""
    try:
        _Reading(draft, task, vocabulary or vocabulary_of(task)).run(draft.text)
    except Wrong as wrong:
        return wrong.code
    return None


class _Reading:
    """The walk over one reason. `cited` maps an item id to its cited events."""

    def __init__(self, draft: Draft, task: ReasonTask, vocabulary: Vocabulary) -> None:
        self.task, self.language = task, task.language
        self.known = Support(draft, task)
        self.item, self.cited = self.known.item, self.known.cited
        self.vocabulary = vocabulary
        self.titles_before: list[frozenset[str]] = []
        self.facts_before: list[str] = []

    def run(self, text: str) -> None:
        tokens = self.vocabulary.tokens(text)
        self._quotes(tokens)
        sentence: list[Token] = []
        for token in tokens:
            if token.kind == "mark" and token.text in _STOPS:
                self._sentence(sentence)
                sentence = []
            else:
                sentence.append(token)
        self._sentence([token for token in sentence if token.text not in '"》'])

    def _quotes(self, tokens: Sequence[Token]) -> None:
        """What stands in quotes is a title that is known, or the wish's words."""
        opened: int | None = None
        for place, token in enumerate(tokens):
            if token.text == "《" or (token.text == '"' and opened is None):
                opened = place
            elif token.text in ('"', "》") and opened is not None:
                inner = [t for t in tokens[opened + 1 : place] if t.kind != "mark"]
                words = " ".join(t.text.lower() for t in inner)
                if not (len(inner) == 1 and inner[0].kind == "title") and not (
                    words and self.known.wish and words in self.known.wish
                ):
                    raise Wrong("title")
                opened = None

    # --- one sentence ---

    def _sentence(self, tokens: list[Token]) -> None:
        if not tokens:
            return
        groups = [Group()]
        for place, token in enumerate(tokens):
            group = groups[-1]
            if token.kind == "unknown":
                self._unknown(tokens, place, group)
            elif token.kind == "title":
                self._title(tokens, place, groups)
            elif token.kind == "platform":
                self._platform(tokens, place, groups)
            elif token.kind in ("category", "creator"):
                self._attribute(tokens, place, groups)
            elif token.kind == "fact":
                self._fact(tokens, place, group)
            elif token.kind == "wish":
                if not group.asked:
                    raise Wrong("claim")
            elif token.kind == "number":
                if [t.text.lower() for t in tokens[place + 1 : place + 2]] in (["times"], ["time"], ["次"]):
                    raise Wrong("number")
                group.numbers.append(number(token.text))
            elif token.kind == "date":
                group.dates.append(token.text)
            elif token.kind == "word":
                self._word(tokens, place, groups)
            elif token.text in _BREAKS:
                group.asked = False
            elif token.text not in "\"《》()（）%-–—'/":
                raise Wrong("markup")
        named = sum(t.kind == "title" and bool(t.names & self.cited.keys()) for t in tokens)
        for place, group in enumerate(groups):
            if group.joined and not group.titles and place:
                group.titles = groups[place - 1].titles
            self.known.judge(group, named)
        self._facts(tokens, groups)
        same_year(tokens, self.known, self.language)
        self._alike(tokens, [t for g in groups if not g.unlike for t in g.titles])
        self.titles_before = [t for group in groups for t in group.titles] or self.titles_before

    def _unknown(self, tokens: list[Token], place: int, group: Group) -> None:
        text = tokens[place].text
        if group.asked and self._wished(text):
            return
        raise Wrong("title" if text[0].isupper() and place > 0 else "claim")

    def _wished(self, text: str) -> bool:
        if self.language == "zh":
            return text in self.known.wish
        return text.lower() in re.findall(r"[a-z'-]+", self.known.wish)

    def _word(self, tokens: list[Token], place: int, groups: list[Group]) -> None:
        text, word, group = tokens[place].text, tokens[place].text.lower(), groups[-1]
        before = [token.text.lower() for token in tokens[max(0, place - 3) : place] if token.kind == "word"]
        capital = self.language == "en" and text[0].isupper() and place > 0
        if capital and tokens[place - 1].text not in '":(':
            raise Wrong("title")
        if word in ASKED[self.language]:
            if not self.known.wish:
                raise Wrong("claim")
            group.asked = True
        elif word in NUMBERS[self.language]:
            group.numbers.append(float(NUMBERS[self.language][word]))
        elif word in SEVERAL and len({event.id for event in self.known.events}) < 3:
            raise Wrong("number")
        elif word in NOT:
            self._negation(tokens, place)
        elif word in ("unlike", "不同于"):
            group.unlike = True
        elif self.language == "zh" and word in PREDICT["zh"]:
            groups.append(Group(predicts=True))
        elif is_deed(word, before, self.language):
            self._deed(tokens, place, groups, before)
        elif word in ITEM[self.language]:
            self._pronoun(tokens, place, groups)
        elif word in ("一部", "部") and before[-1:] == ["的"]:
            raise Wrong("claim")
        elif word in TURN[self.language]:
            groups.append(Group(about_item=True))

    def _deed(self, tokens: list[Token], place: int, groups: list[Group], before: list[str]) -> None:
        word = tokens[place].text.lower()
        deed, group = DEEDS[self.language][word], groups[-1]
        negated = any(part in NOT for part in before)
        if self.language == "en":
            if word in ("purchases", "buy") and before[-1:] == ["your"]:
                pass
            elif predicted(before):
                groups.append(Group(predicts=True))
                return
            subjects = [t.text.lower() for t in tokens[:place] if t.text.lower() in SUBJECTS]
            nearest = [part for part in subjects if part not in ("which", "it")][-1:]
            if nearest and nearest[0] in OTHERS:
                raise Wrong("claim")
            if tokens[place + 1 : place + 2] and tokens[place + 1].text.lower() == "by":
                raise Wrong("claim")
        if negated:
            if deed is not LIKED:
                raise Wrong("tone")
            deed = DEEDS["en"]["disliked"]
        coordinated = bool(before) and before[-1] in ("and", "then", "also", "并", "并且", "而且", "还")
        relative = any(part in ("which", "that") for part in before) and bool(group.titles)
        if relative and group.titles:
            last = group.titles[-1]
            if not group.deeds:
                group.titles.pop()
            groups.append(Group([deed], [last], unlike=group.unlike))
        elif group.deeds and not group.titles and coordinated:
            group.deeds.append(deed)
        elif group.deeds or group.titles or group.about_item or group.predicts or group.numbers:
            groups.append(Group([deed], joined=coordinated and bool(group.deeds)))
        else:
            group.deeds.append(deed)

    def _negation(self, tokens: list[Token], place: int) -> None:
        """Only 'you did not like' is a negation that evidence can carry."""
        following = [token.text.lower() for token in tokens[place + 1 : place + 4]]
        if not any(DEEDS["en"].get(word) is LIKED for word in following):
            raise Wrong("claim")

    def _pronoun(self, tokens: list[Token], place: int, groups: list[Group]) -> None:
        group = groups[-1]
        if place and group.deeds and tokens[place - 1].text.lower() in DEEDS[self.language]:
            titles = [title for g in groups for title in g.titles] or self.titles_before
            if not titles:
                raise Wrong("claim")
            group.titles.append(titles[-1])
        elif not group.about_item:
            after = [t.text for t in tokens[place + 1 : place + 3]]
            listed = tokens[place - 1 : place] and tokens[place - 1].text.lower() == "and"
            if listed and group.deeds and group.titles and len(after) < 2:
                raise Wrong("tone")
            groups.append(Group(about_item=True))

    def _title(self, tokens: list[Token], place: int, groups: list[Group]) -> None:
        names, group = tokens[place].names, groups[-1]
        known = frozenset(names & self.cited.keys())
        if known:
            if group.predicts:
                raise Wrong("claim")
            if (
                (group.about_item and not any(t.text.lower() in ALIKE[self.language] for t in tokens))
                or group.about_item
                or group.numbers
            ):
                groups.append(Group())
            groups[-1].titles.append(known)
            return
        if self.item.id not in names:
            raise Wrong("title")
        since = [t.text.lower() for t in reversed(tokens[:place]) if t.text not in '"《》']
        stretch = []
        for word in since:
            if word in _BREAKS or word in TURN[self.language] or word in DEEDS[self.language]:
                break
            stretch.append(word)
        direct = len(stretch) < len(since) and since[len(stretch)] in DEEDS[self.language]
        listed = (
            since[:1] in (["and"], ["和"], ["与"])
            and since[1:2] != [","]
            and bool(group.titles)
            and bool(group.deeds)
        )
        if listed or (direct and group.deeds and not group.titles and not group.predicts):
            raise Wrong("tone")
        groups.append(Group(about_item=True))

    def _platform(self, tokens: list[Token], place: int, groups: list[Group]) -> None:
        (name,) = tokens[place].names
        if name in self.task.settings.silent:
            raise Wrong("silent_platform")
        group = groups[-1]
        if self.language == "zh" and group.about_item and self._there(tokens, place):
            if name not in self.item.platforms:
                raise Wrong("platform")
            groups.append(Group())
            return
        if self.language == "zh" and (group.titles or group.about_item or group.predicts):
            groups.append(Group())
        groups[-1].platforms.append(name)

    def _there(self, tokens: list[Token], place: int) -> bool:
        """Chinese: whether the platform at `place` is where the item before it is."""
        for token in reversed(tokens[:place]):
            if token.kind == "title":
                return self.item.id in token.names
            if token.text not in ("》", '"', "也", "在", "都", "同样", "可以", "就"):
                return token.text in ITEM["zh"]
        return False

    # --- attributes: categories and creators ---

    def _attribute(self, tokens: list[Token], place: int, groups: list[Group]) -> None:
        token, group = tokens[place], groups[-1]
        (name,) = token.names
        code = "claim" if token.kind == "category" else "creator"
        if group.asked and name in self.known.wish:
            return
        if group.titles and group.deeds and not group.about_item:
            ids = frozenset().union(*group.titles)
            if not self.known.had(name, token.kind, ids, group):
                raise Wrong(code)
        whose = owner(tokens, place, self.cited.keys(), self.language)
        if whose == "history" or not self.item.id:  # without an item all is said of the history
            following = [t for t in tokens[place + 1 : place + 4] if t.kind == "title"]
            named = following[0].names & self.cited.keys() if following else frozenset()
            if not self.known.had(name, token.kind, named, group):
                raise Wrong(code)
        elif isinstance(whose, frozenset):
            if not self.known.had(name, token.kind, whose, group):
                raise Wrong(code)
        elif name not in attributes(self.item, token.kind) or (
            any(t.text.lower() in BOTH[self.language] for t in tokens)
            and not self.known.had(name, token.kind, frozenset(), group)
        ):
            raise Wrong(code)

    # --- extracted facts ---

    def _fact(self, tokens: list[Token], place: int, group: Group) -> None:
        """What stands right by a title is said of that one."""
        (name,) = tokens[place].names
        whose = owner(tokens, place, self.cited.keys(), self.language)
        self.known.fact(name, [whose] if isinstance(whose, frozenset) else [])
        if DISLIKED in group.deeds and not group.about_item:
            raise Wrong("fact")  # what was disliked is told as nothing in common
        if whose == "history" or not (group.titles or group.about_item or group.predicts):
            group.facts.append(name)

    def _facts(self, tokens: list[Token], groups: Sequence[Group]) -> None:
        """A fact is said of the item and of every title that its sentence likens the item to; it must not be
        one of a title that the item is set apart from, or that was disliked."""
        named = [token for token in tokens if token.kind == "fact"]
        said = {token.text.lower() for token in tokens}
        if said & (ONLY if named else FACT_WORDS[self.language] - plain_words(self.language)):
            raise Wrong("claim")
        likened = [t for g in groups if not g.unlike and DISLIKED not in g.deeds for t in g.titles]
        apart = [t for g in groups if g.unlike or DISLIKED in g.deeds for t in g.titles]
        if not named and likened and not any(g.deeds for g in groups):  # 'so is X' says of X what was said
            for name in self.facts_before:
                self.known.fact(name, likened)
        for name in [name for token in named for name in token.names]:
            self.facts_before.append(name)
            self.known.fact(name, likened)
            carrying = self.known.shared[name]
            if apart and (not likened or any(ids & carrying for ids in apart)):
                raise Wrong("fact")
            if len(carrying & self.cited.keys()) < (3 if said & SEVERAL else 2 if "other" in said else 0):
                raise Wrong("number")

    def _alike(self, tokens: list[Token], titles: list[frozenset[str]]) -> None:
        """A likeness must be one (Support.alike)."""
        words = [token.text.lower() for token in tokens]
        for n, word in enumerate(words):
            verb = word == "like" and is_deed(word, words[max(0, n - 3) : n], self.language)
            if word in CREATOR:
                self.known.alike(titles, by_creator=True)
            elif word in ALIKE[self.language] and not verb:
                self.known.alike(titles)
