"""No model: the recall order as it is."""

from __future__ import annotations

from rerank.methods.method import RankTask, places
from rerank.types import Cause, ChatModel, Deadline, Ranking


class KeepOrder:
    name = "keep-order"
    prompt = ""
    needs: tuple[str, ...] = ()

    async def rank(
        self, task: RankTask, model: ChatModel | None = None, deadline: Deadline | None = None
    ) -> Ranking:
        return kept(len(task.candidates), Cause.KEEP_ORDER)


def kept(n: int, cause: Cause) -> Ranking:
    """Recall order of n candidates, with the cause."""
    return Ranking(tuple(range(n)), places(range(n), (), ()), cause=cause)
