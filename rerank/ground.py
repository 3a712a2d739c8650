"""What one answer stands on: the person's history, the candidates, and the items of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recall.protocols import Stock
from recall.recorded import Recorded
from recall.types import Because, Candidate, CandidateList, History, Item, Query
from rerank.types import RankedItem, Ranking, Request


@dataclass(frozen=True, slots=True)
class Ground:
    """`items` holds those of the first candidates and, save in mode 'recall', of the history."""

    stock: Stock
    history: History
    query: Query
    found: CandidateList
    items: dict[str, Item]

    def recalled(self, k: int) -> tuple[RankedItem, ...]:
        """The first `k` candidates in recall order."""
        first = self.found.candidates[:k]
        return tuple(
            RankedItem(self.items[one.item], place + 1, one.score, one, "recall")
            for place, one in enumerate(first)
        )

    def ranked(
        self, ranking: Ranking, order: Sequence[int], scores: Sequence[float]
    ) -> tuple[RankedItem, ...]:
        """The candidates at these positions, with the model's place of each; `scores` go with `order`."""
        placed = {position: place for place, position in enumerate(ranking.order)}
        candidates = self.found.candidates[: max(order, default=-1) + 1]
        ranked = []
        for place, position in enumerate(order):
            candidate = candidates[position]
            said = placed.get(position)
            whence = "recall" if said is None else ranking.places[said]
            ranked.append(
                RankedItem(
                    item=self.items[candidate.item],
                    rank=place + 1,
                    score=scores[place],
                    candidate=candidate,
                    place=whence,
                    model_rank=said + 1 if said is not None and whence == "model" else None,
                )
            )
        return tuple(ranked)

    def because(self, items: Sequence[Item]) -> list[Because]:
        """What carries each of these items. CPU work: call it in a thread."""
        return self.stock.recall.explain(self.query, [item.id for item in items])


def in_order(items: Sequence[str]) -> tuple[Candidate, ...]:
    """Candidates of no recaller: these items, best first, each once."""
    once = list(dict.fromkeys(items))
    return tuple(Candidate(item, rank, (len(once) - rank) / len(once)) for rank, item in enumerate(once))


def fetch(
    stock: Stock, request: Request, depth: int, interest: str | tuple[float, ...] | None = None
) -> Ground:
    """What the request does not bring along; `interest` is its wish as recall takes it. CPU work and reads of
    the store: call it in a thread."""
    history, had = request.history, frozenset[str]()
    if history is None:
        history = History(None)
        if request.person is not None:
            platform, as_of = request.platform, request.as_of
            history = stock.library.history(request.person, platform=platform, as_of=as_of)
            if not isinstance(history.events, Recorded):  # else the history is all that the build holds
                had = stock.library.had(request.person, platform=platform, as_of=as_of)
    query = Query(
        history=history,
        platform=request.platform,
        as_of=request.as_of,
        n=max(request.n, request.k, request.depth or 0),
        filters=request.filters,
        had=had,
        interest=interest,
    )
    if request.candidates is None:
        found = stock.recall.candidates(query)
    else:
        found = CandidateList(request.candidates, {}, stock.recall.artefact)
    plainly = request.mode == "recall"  # no model, no reasons: nobody looks at the history's items
    shown = request.k if plainly else max(request.k, request.depth or depth)
    wanted = dict.fromkeys(candidate.item for candidate in found.candidates[:shown])
    if not plainly:
        wanted |= dict.fromkeys(event.item for event in history.events)
    items = dict(zip(wanted, stock.library.items(list(wanted)), strict=True))
    return Ground(stock, history, query, found, items)
