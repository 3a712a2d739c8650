"""Prompt tokens where no tokenizer can be asked: a stated estimate from characters."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rerank.types import Message

PER_MESSAGE = 4
"""Tokens that a chat template adds around a message."""

_IDEOGRAPHS = re.compile(
    "[\u1100-\u11ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]"
)


def estimate_tokens(messages: Sequence[Message], characters_per_token: float) -> int:
    """Ideographs and kana count one token each, other characters 1/`characters_per_token`; rounded up."""
    tokens = 0
    for message in messages:
        ideographs = len(_IDEOGRAPHS.findall(message.content))
        rest = len(message.content) - ideographs
        tokens += PER_MESSAGE + ideographs + -int(-rest // characters_per_token)
    return tokens
