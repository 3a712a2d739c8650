"""The reason that is shown: the model's where it passes the check, else the template of the item's source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from recall.types import Because, History
from rerank.common import SHOWN_LINES, fact_evidence
from rerank.labels import candidate_labels
from rerank.mentions import Vocabulary, vocabulary_of
from rerank.reasons import Draft, ReasonTask
from rerank.templates import Facts, event_evidence, template_reason
from rerank.types import Evidence, Reason
from rerank.untrusted import clean
from rerank.wording import WISH_LABEL


@dataclass(frozen=True)
class Judge:
    """Settles the reasons of one answer. `because` goes with `task.items`; `facts` gives items' facts that
    count, by id. CPU work, and perhaps a look into the store: call it in a thread."""

    task: ReasonTask
    because: Sequence[Because]
    history: History
    floor: float = 0.0
    facts: Facts | None = None

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return vocabulary_of(self.task)

    def settle(self, places: Sequence[int], drafts: Sequence[Draft]) -> list[tuple[int, Reason]]:
        """A reason for each of `places`, in their order, from what a model wrote for some of them."""
        written = {draft.item: draft for draft in drafts}
        return [(place, self._reason(place, written.get(place))) for place in places]

    def _reason(self, place: int, draft: Draft | None) -> Reason:
        from rerank.check import check

        code = check(draft, self.task, self.vocabulary) if draft else None
        if draft and code is None:
            return Reason(draft.text, evidence_of(draft, self.task, self.vocabulary), "llm", True)
        reason = template_reason(
            self.because[place],
            self.task.items[place],
            self.history,
            self.task.known,
            language=self.task.language,
            platform=self.task.platform,
            floor=self.floor,
            silent=self.task.settings.silent,
            facts=self.facts,
        )
        return Reason(reason.text, reason.evidence, "template", True, withheld=code)


def evidence_of(draft: Draft, task: ReasonTask, vocabulary: Vocabulary | None = None) -> tuple[Evidence, ...]:
    """What the draft cites, for a person; labels that do not exist are left out. A fact in common is told as
    the item carries it and as what is cited does; so is one that is named without its label."""
    lines = {line.label: line for line in task.summary.lines}
    shared = {one.label: one for one in task.shared if one.place == draft.item}
    item = task.items[draft.item]
    cited = list(draft.cites)
    for label in draft.cites:
        if label in shared:
            cited += [line for line, _ in shared[label].lines[:SHOWN_LINES]]
    if shared and vocabulary is not None:
        named = {
            name for token in vocabulary.tokens(draft.text) if token.kind == "fact" for name in token.names
        }
        cited += [one.label for one in shared.values() if one.key in named]
    found: list[Evidence] = []
    for label in dict.fromkeys(cited):
        if label == WISH_LABEL and task.wish:
            found.append(Evidence("wish", label, clean(task.wish, 300)))
        elif line := lines.get(label):
            if line.event:
                found.append(event_evidence(line.event, task.known, label))
            else:
                found.append(Evidence("fact", label, line.text, platform=line.platform))
        elif one := shared.get(label):
            found.append(fact_evidence(one.fact, label))
            found += [fact_evidence(fact, label) for line, fact in one.lines if line in cited]
        elif label in candidate_labels(26):
            facts = ", ".join([*item.categories, *item.creators, *([str(item.year)] if item.year else [])])
            found.append(Evidence("fact", label, clean(facts or item.title, 300), item=item.id))
    return tuple(found)
