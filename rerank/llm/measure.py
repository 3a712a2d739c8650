"""What an engine does when it is asked for real: its speed, its cache, its seed, and which methods fit."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

from recall.errors import ConfigError, ModelError
from rerank.methods import METHODS, check_needs
from rerank.types import Capabilities, Cause, ChatModel, Deadline, Message, Reply, Sampling

PROMPT_WORDS, ANSWER_TOKENS = 400, 33

_WORDS = ("amber", "basin", "cedar", "delta", "ember", "fjord", "grove", "haven", "inlet", "juniper", "knoll")


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one request at a time. None: could not be told."""

    prompt_tokens: int | None
    first_seconds: float | None
    """A prompt never seen before, one token answered."""
    again_seconds: float | None
    """The same prompt once more."""
    prefix_cache: bool | None
    """By the cached tokens that the engine states, else where the second time took less than half as long."""
    prefill: float | None
    """Prompt tokens a second."""
    decode: float | None
    """Answer tokens a second."""
    seed_holds: bool | None
    """At temperature 1: the same seed twice gives the same text. None where another seed gives it too."""
    methods: Mapping[str, str]
    """For each method "ok", or why it is refused and the remedy."""


async def measure(model: ChatModel, deadline: Deadline) -> Measured:
    """About 1,500 prompt tokens and 80 of answers. ModelError where the engine can't be asked at all."""
    capabilities = await model.capabilities(deadline)
    words = min(PROMPT_WORDS, (capabilities.context or 4096) // 6)
    nonce = random.Random(time.time_ns())
    text = " ".join(nonce.choice(_WORDS) for _ in range(words))
    asked = [Message("user", f"{text}\nCount from 1 to 100, separated by spaces: 1 2 3")]
    first = await _ask(model, asked, Sampling(1), deadline)
    again = await _ask(model, asked, Sampling(1), deadline)
    long = await _ask(model, asked, Sampling(ANSWER_TOKENS), deadline)
    tokens = first.usage.prompt if first else 0
    fresh = tokens - first.usage.cached if first else 0
    decoded = long.usage.completion - 1 if long else 0
    spent = long.seconds - again.seconds if long and again else 0.0
    return Measured(
        prompt_tokens=tokens or None,
        first_seconds=first.seconds if first else None,
        again_seconds=again.seconds if again else None,
        prefix_cache=_cached(first, again),
        prefill=fresh / first.seconds if first and fresh > 0 and first.seconds > 0 else None,
        decode=decoded / spent if decoded >= 4 and spent > 0 else None,
        seed_holds=await _seed_holds(model, deadline),
        methods=usable(capabilities),
    )


def usable(capabilities: Capabilities) -> dict[str, str]:
    """For each method "ok", or why it is refused and the remedy."""
    found = {}
    for name, method in METHODS.items():
        try:
            check_needs(method, capabilities)
            found[name] = "ok"
        except ConfigError as error:
            found[name] = str(error)
    return found


def _cached(first: Reply | None, again: Reply | None) -> bool | None:
    if first is None or again is None:
        return None
    if again.usage.cached > 0:
        return True
    return again.seconds < first.seconds / 2


async def _seed_holds(model: ChatModel, deadline: Deadline) -> bool | None:
    asked = [Message("user", "Tell me the beginning of a story that nobody knows.")]
    same, again, other = [
        await _ask(model, asked, Sampling(16, temperature=1.0, seed=seed), deadline) for seed in (7, 7, 8)
    ]
    if same is None or again is None or other is None:
        return None
    if same.text != again.text:
        return False
    return None if same.text == other.text else True


async def _ask(
    model: ChatModel, asked: list[Message], sampling: Sampling, deadline: Deadline
) -> Reply | None:
    """None where the answer is of no use; what another call would meet too is raised."""
    try:
        return await model.chat(asked, sampling=sampling, deadline=deadline)
    except ModelError as error:
        if error.cause in (Cause.TRUNCATED, Cause.BAD_REPLY, Cause.BAD_REQUEST, Cause.CONTEXT):
            return None
        raise
