"""What a reasoning model thinks aloud is no part of its answer."""

from __future__ import annotations

import re

_THOUGHT = re.compile(
    r"\A\s*<(think|thinking|thought|reasoning)>.*?(?:</\1>\s*|\Z)", re.DOTALL | re.IGNORECASE
)
_TAIL = re.compile(r"\A(?:(?!<think).)*</think>\s*", re.DOTALL)


def without_thinking(text: str) -> str:
    """`text` without a thinking block at its start; empty when the block never ends.

    Some chat templates put the opening tag into the prompt, so that only the closing one is in the answer.
    """
    return _TAIL.sub("", _THOUGHT.sub("", text, count=1), count=1)
