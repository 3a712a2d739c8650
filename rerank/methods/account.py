"""What happened over all calls of one ranking, and the ranking that comes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from recall.errors import ModelError
from rerank.methods.keep_order import kept
from rerank.methods.method import RankTask, places
from rerank.types import Call, Cause, Ranking


@dataclass
class Account:
    """`named` and `asked` hold places of the task: those that the model named, and those of questions that
    it answered. `cause` is the first failure's."""

    calls: list[Call] = field(default_factory=list)
    repairs: Counter[str] = field(default_factory=Counter)
    named: set[int] = field(default_factory=set)
    asked: set[int] = field(default_factory=set)
    cause: Cause | None = None

    def fail(self, cause: Cause | None) -> None:
        self.cause = self.cause or cause

    def add(self, other: Account) -> None:
        self.calls += other.calls
        self.repairs.update(other.repairs)
        self.named |= other.named
        self.asked |= other.asked
        self.fail(other.cause)


@dataclass(frozen=True, slots=True)
class Answered:
    """All places of the task in the model's order; `scores`, where a method has them, go with it."""

    order: Sequence[int]
    scores: tuple[float, ...] | None = None


async def accounted(task: RankTask, work: Callable[[Account], Awaitable[Answered]]) -> Ranking:
    """The ranking of what `work` answers; recall order, with the cause, where the model named nobody."""
    n = len(task.candidates)
    if n == 0:
        return kept(0, Cause.NO_CANDIDATES)
    account = Account()
    try:
        answered = await work(account)
    except ModelError as error:
        account.fail(Cause(error.cause))
        account.named.clear()
        answered = Answered(range(n))
    order, calls, repairs = tuple(answered.order), tuple(account.calls), dict(account.repairs)
    if not account.named:
        none = places(order, (), ())
        return Ranking(
            tuple(range(n)), none, calls=calls, repairs=repairs, cause=account.cause or Cause.UNPARSABLE
        )
    where = places(order, account.named, account.asked)
    return Ranking(order, where, scores=answered.scores, calls=calls, repairs=repairs, cause=account.cause)
