"""The reason that is shown: the model's where it passes the check, else the template of the item's source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from recall.types import Because, History
from rerank.labels import candidate_labels
from rerank.mentions import Vocabulary, vocabulary_of
from rerank.reasons import Draft, ReasonTask
from rerank.templates import event_evidence, template_reason
from rerank.types import Evidence, Reason
from rerank.untrusted import clean
from rerank.wording import WISH_LABEL


@dataclass(frozen=True)
class Judge:
    """Settles the reasons of one answer. `because` goes with `task.items`; CPU work, call it in a thread."""

    task: ReasonTask
    because: Sequence[Because]
    history: History
    floor: float = 0.0

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
            return Reason(draft.text, evidence_of(draft, self.task), "llm", True)
        reason = template_reason(
            self.because[place],
            self.task.items[place],
            self.history,
            self.task.known,
            language=self.task.language,
            platform=self.task.platform,
            floor=self.floor,
            silent=self.task.settings.silent,
        )
        return Reason(reason.text, reason.evidence, "template", True, withheld=code)


def evidence_of(draft: Draft, task: ReasonTask) -> tuple[Evidence, ...]:
    """What the draft cites, for a person; labels that do not exist are left out."""
    lines = {line.label: line for line in task.summary.lines}
    item = task.items[draft.item]
    found = []
    for label in draft.cites:
        if label == WISH_LABEL and task.wish:
            found.append(Evidence("wish", label, clean(task.wish, 300)))
        elif line := lines.get(label):
            if line.event:
                found.append(event_evidence(line.event, task.known, label))
            else:
                found.append(Evidence("fact", label, line.text, platform=line.platform))
        elif label in candidate_labels(26):
            facts = ", ".join([*item.categories, *item.creators, *([str(item.year)] if item.year else [])])
            found.append(Evidence("fact", label, clean(facts or item.title, 300), item=item.id))
    return tuple(found)
