"""Whether a written reason is supported. Deterministic: a code for what is wrong first, or None.

The rule is closed: titles, creators, platforms, categories, numbers and dates must be those of the cited
evidence or of the item, said of the one that they belong to; an extracted fact must be carried by the item
and by every title that its sentence names; every other word must be one of the plain words of rerank/lexicon,
which claim nothing that evidence would have to carry. So praise, plots and hearsay are withheld even when
they happen to be true: an unsupported reason is not shown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rerank.labels import candidate_labels, own_label
from rerank.wording import WISH_LABEL

if TYPE_CHECKING:
    from rerank.mentions import Vocabulary
    from rerank.reasons import Draft, ReasonTask

CODES = {
    "uncited": "cites nothing of this person: no history line, no wish",
    "label_unknown": "cites a label that was not given",
    "label_foreign": "cites another item's label",
    "markup": "holds markup, an address or a label",
    "incomplete": "is no whole sentence",
    "length": "is longer than allowed",
    "language": "is not in the language asked for",
    "silent_platform": "names or cites a platform that may not be mentioned",
    "title": "names a title or name that is not among the cited ones",
    "creator": "names a creator that the one it speaks of does not have",
    "platform": "names a platform that the event or item is not on",
    "number": "holds a number or date that the evidence does not give",
    "tone": "speaks of an event otherwise than it was",
    "fact": "names a fact that the item and the titles it speaks of do not have in common",
    "claim": "says something that no known fact supports",
}
"""Every code of `check`, and what it says of the reason."""

_MARKUP = re.compile(r"[<>\[\]{}*`#|\\_~^=@$]|https?:|www\.|\b[hH]\d+\b|\bf\d+\b|&\w+;")
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffd]")
_END = re.compile(r"[.!?。！？][”\"’'」』]?$")
_CJK = re.compile("[\u3400-\u9fff]")
_QUOTED = re.compile('《[^》]*》|“[^”]*”|"[^"]*"|「[^」]*」')
_LATIN = re.compile("[A-Za-z]")
_OPEN_CLOSE = (("“", "”"), ("《", "》"), ("(", ")"), ("（", "）"), ("「", "」"))


def check(draft: Draft, task: ReasonTask, vocabulary: Vocabulary | None = None) -> str | None:
    """The code of the first failure, or None for a reason that may be shown.

    `vocabulary` is the task's (rerank.mentions.vocabulary_of), for callers that check several drafts.
    """
    from rerank.claims import check_claims

    return _check_labels(draft, task) or _check_form(draft, task) or check_claims(draft, task, vocabulary)


def _check_labels(draft: Draft, task: ReasonTask) -> str | None:
    lines = {line.label: line for line in task.summary.lines}
    own = own_label(draft.item, task.settings.per)
    shared = {one.label: one for one in task.shared}
    of_person = False
    for label in draft.cites:
        if label in shared:
            of_person = True
            if shared[label].place != draft.item:
                return "label_foreign"
        elif label in lines:
            of_person = True
            platforms = {event.platform for event in lines[label].events} | {lines[label].platform}
            if platforms & set(task.settings.silent):
                return "silent_platform"
        elif label == WISH_LABEL and task.wish:
            of_person = True
        elif label in candidate_labels(26):
            if label != own:
                return "label_foreign"
        else:
            return "label_unknown"
    return None if of_person else "uncited"


def _check_form(draft: Draft, task: ReasonTask) -> str | None:
    text = draft.text
    if len(text) > task.settings.max_chars:
        return "length"
    if _MARKUP.search(text) or _INVISIBLE.search(text):
        return "markup"
    bare = _QUOTED.sub(" ", text)  # titles stay in their own language
    wide, latin = len(_CJK.findall(bare)), len(_LATIN.findall(bare))
    if (task.language == "zh" and wide == 0) or (task.language == "en" and (wide or not latin)):
        return "language"
    if not _END.search(text) or text.endswith(("...", "…")) or text.count('"') % 2:
        return "incomplete"
    if any(text.count(opening) != text.count(closing) for opening, closing in _OPEN_CLOSE):
        return "incomplete"
    words = wide if task.language == "zh" else len(text.split())
    begins = text.lstrip("“\"'‘(《")[:1]
    if words < 3 or (task.language == "en" and begins.islower()):
        return "incomplete"
    return None
