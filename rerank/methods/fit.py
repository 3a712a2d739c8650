"""Making a request fit into the model's context: the history shrinks first, then the window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from recall.errors import ModelError
from rerank.methods.method import RankTask
from rerank.types import Cause, ChatModel, Deadline, Message

SMALLEST_WINDOW = 2


async def fit(
    task: RankTask,
    model: ChatModel,
    deadline: Deadline,
    window: int,
    build: Callable[[RankTask, Sequence[int]], list[Message]],
    answer: Callable[[int], int],
) -> tuple[RankTask, int, Counter[str]]:
    """A task and a window whose largest request fits, and what was given up, counted.

    `build` makes the messages for some places, `answer` says how many tokens the answer to so many takes.
    ModelError(CONTEXT) when two candidates without any history do not fit either.
    """
    repairs: Counter[str] = Counter()
    context = (await model.capabilities(deadline)).context
    window = min(window, max(1, len(task.candidates)))
    if context is None:
        return task, window, repairs
    while True:
        longest = sorted(range(len(task.candidates)), key=lambda place: -_length(task, place))[:window]
        spent = await model.count(build(task, longest)) + answer(window)
        if spent <= context:
            return task, window, repairs
        lines = len(task.summary.lines)
        if lines > 0:
            task = replace(task, summary=task.summary.first(lines // 2))
            repairs["history_lines_dropped"] += lines - lines // 2
        elif window > SMALLEST_WINDOW:
            repairs["window_narrowed"] += window - max(SMALLEST_WINDOW, window // 2)
            window = max(SMALLEST_WINDOW, window // 2)
        else:
            raise ModelError(
                f"{window} candidates take {spent} tokens of a context of {context}: "
                "lower [rank] title_chars or use a model with a longer context",
                Cause.CONTEXT,
            )


def _length(task: RankTask, place: int) -> int:
    """Of what is shown of a candidate, about."""
    item = task.candidates[place]
    return len(item.title) + sum(len(fact.value) for fact in task.facts.get(item.id, ()))
