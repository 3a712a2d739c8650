"""Judges of doubtful pairs. A model's judge lives in a higher room."""

from __future__ import annotations

from collections.abc import Mapping

from recall.links.ledger import Node
from recall.links.records import Record


class ScriptedJudge:
    """Answers what it was told, None to the rest; remembers what it was asked. For tests."""

    name = "scripted"

    def __init__(self, answers: Mapping[frozenset[Node], bool]) -> None:
        self.answers = dict(answers)
        self.asked: list[tuple[Record, Record]] = []

    def same(self, one: Record, other: Record) -> bool | None:
        self.asked.append((one, other))
        pair = frozenset({(one.platform, one.listing), (other.platform, other.listing)})
        return self.answers.get(pair)
