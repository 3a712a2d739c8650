"""The placeholders that a prompt of each method must and may have; every value is text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Slots:
    required: frozenset[str]
    optional: frozenset[str] = frozenset()

    @property
    def allowed(self) -> frozenset[str]:
        return self.required | self.optional | WORDS


WORDS = frozenset({"item", "items", "chose", "domain"})
"""The domain's words (prompts/domains.yaml), which every template may use: a film, films, watched."""

_SHARED = frozenset({"history", "platform", "wish", "example", "profile"})

SLOTS = {
    "listwise": Slots(frozenset({"candidates", "labels", "wish"}), _SHARED | {"count"}),
    "logits": Slots(frozenset({"candidates", "labels", "wish"}), _SHARED | {"count"}),
    "pointwise": Slots(frozenset({"candidate", "history", "wish"}), _SHARED),
    "per-list": Slots(frozenset({"candidates", "history", "wish"}), _SHARED | {"count", "facts"}),
    "per-item": Slots(frozenset({"candidate", "history", "wish"}), _SHARED | {"facts"}),
    "profile": Slots(frozenset({"history", "wish"}), frozenset({"platform"})),
    "same-work": Slots(frozenset({"one", "other"})),
    "extract-items": Slots(frozenset({"card", "fields"})),
    "extract-people": Slots(frozenset({"history"}), frozenset({"platform"})),
}
"""
history      labelled lines h1, h2 …; '' for nobody
candidates   one labelled line each        candidate    one line, its label before it where it has one
labels       the candidates' labels, comma-separated        count    how many
wish         what the person wants now; '' for none          platform    who asks; '' for any
example      an earlier choice of the person's own           profile     a written taste profile
one, other   two entries of two catalogues
facts        what candidates and history have in common, labelled lines f1, f2 …; '' for nothing
card         an item's entry, a line for each field        fields      the kinds of facts, a line each
"""
