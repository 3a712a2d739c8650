"""Two engines over the same weights should say the same: log-probabilities and orders, list by list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rerank.labels import candidate_labels
from rerank.methods import RankTask
from rerank.methods.pointwise import ANSWERS
from rerank.types import ChatModel, Deadline

Scored = Literal["pointwise", "logits"]

MARGIN = 0.1
"""Log-probabilities nearer to each other than this are as good as tied."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """`tau` is Kendall's over all pairs, the mean of the lists; `decisive` over the pairs of all lists whose
    scores differ by more than MARGIN on both engines; NaN where there are none."""

    method: Scored
    lists: int
    tau: float
    decisive: float
    pairs: int
    """Decisive ones."""
    all_pairs: int
    difference: float
    """Largest difference between the two engines' score gaps of a pair, the median over the lists."""


async def crosscheck(
    first: ChatModel, second: ChatModel, tasks: Sequence[RankTask], method: Scored, deadline: Deadline
) -> Agreement:
    """Scores every list by both engines. Candidates that one of them gives no score are left out."""
    taus, gaps, concordant, pairs, every = [], [], 0, 0, 0
    for task in tasks:
        a = await scores(task, first, method, deadline)
        b = await scores(task, second, method, deadline)
        both = ~(np.isnan(a) | np.isnan(b))
        above, below = np.triu_indices(int(both.sum()), 1)
        x, y = (values[both][above] - values[both][below] for values in (a, b))
        if not len(x):
            continue
        taus.append(float(np.mean(np.sign(x) * np.sign(y))))
        gaps.append(float(np.abs(x - y).max()))
        clear = (np.abs(x) > MARGIN) & (np.abs(y) > MARGIN)
        concordant += int(np.sign(x[clear] * y[clear]).sum())
        pairs += int(clear.sum())
        every += len(x)
    return Agreement(
        method,
        len(taus),
        float(np.mean(taus)) if taus else float("nan"),
        concordant / pairs if pairs else float("nan"),
        pairs,
        every,
        float(np.median(gaps)) if gaps else float("nan"),
    )


async def scores(task: RankTask, model: ChatModel, method: Scored, deadline: Deadline) -> np.ndarray:
    """float64[n]: the label's log-probability, or that of yes less that of no; NaN where there is none."""
    n = len(task.candidates)
    if method == "logits":
        labels = candidate_labels(n)
        [found] = await model.label_scores([task.ask(range(n), labels)], labels=labels, deadline=deadline)
        return np.array([found.logprobs.get(label, np.nan) for label in labels])
    yes, no = task.prompt.defaults.get("answers") or ANSWERS[task.prompt.language]
    prompts = [task.ask([place], ("",)) for place in range(n)]
    answers = await model.label_scores(prompts, labels=(yes, no), deadline=deadline)
    return np.array([a.logprobs.get(yes, np.nan) - a.logprobs.get(no, np.nan) for a in answers])
