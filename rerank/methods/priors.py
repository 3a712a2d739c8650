"""What a model answers about an item to nobody in particular, kept for as long as the model lives."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from weakref import WeakKeyDictionary

from rerank.types import ChatModel, Message

CAPACITY = 100_000
"""Priors per model, about 100 bytes each; those longest unused go first."""


class Priors:
    """Log-odds by model and exact wording. Nothing of a person is in such a question. Safe from threads."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity, self._lock = capacity, Lock()
        self._models: WeakKeyDictionary[ChatModel, OrderedDict[bytes, float]] = WeakKeyDictionary()

    def get(self, model: ChatModel, questions: Sequence[Sequence[Message]]) -> list[float | None]:
        """The known answer to each question, else None."""
        with self._lock:
            known = self._models.setdefault(model, OrderedDict())
            found = []
            for question in questions:
                key = _key(question)
                if key in known:
                    known.move_to_end(key)
                found.append(known.get(key))
            return found

    def keep(
        self, model: ChatModel, questions: Sequence[Sequence[Message]], answers: Sequence[float | None]
    ) -> None:
        """What is None was not answered, and is asked again."""
        with self._lock:
            known = self._models.setdefault(model, OrderedDict())
            for question, answer in zip(questions, answers, strict=True):
                if answer is not None:
                    known[_key(question)] = answer
            while len(known) > self._capacity:
                known.popitem(last=False)


PRIORS = Priors()
"""Of this process."""


def _key(question: Sequence[Message]) -> bytes:
    text = "\0".join(f"{message.role}\0{message.content}" for message in question)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
