"""Text from outside (titles, names, wishes, replies) made fit to stand in a prompt as data.

What is removed: controls, direction overrides, zero-width and tag characters, lone surrogates, private use.
What is replaced: angle brackets, square brackets around roles and fences, of which chat templates make their
tokens (<|im_start|>, <｜User｜>, [INST], <start_of_turn>); braces and double quotes, which end JSON and data.
"""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e0fff]"
)
"""Soft hyphen, joiners and fillers, direction marks, variation selectors, byte order mark, tag characters."""

_TEMPLATE = re.compile(
    r"[<＜]\s*[|｜][^<>＜＞|｜]{0,64}[|｜]\s*[>＞]"  # <|im_start|>, <｜User｜>
    r"|<\s*/?\s*(?:s|sys|SYS|bos|eos|pad|unk|think|start_of_turn|end_of_turn|tool_call|system|user|assistant)\s*>"
    r"|<<\s*/?\s*SYS\s*>>"
    r"|\[\s*/?\s*(?:INST|SYS|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\s*\]"
    r"|(?:^|\s)#{2,}\s*(?:system|user|assistant|instruction|response)\b\s*:?",
    re.IGNORECASE,
)
_SWAP = str.maketrans(
    {"<": "‹", ">": "›", "＜": "‹", "＞": "›", "{": "(", "}": ")", '"': "'", "`": "'", "|": "/", "｜": "/"}
)


def clean(text: str, limit: int) -> str:
    """`text` as one visible line of at most `limit` characters (NFC; '…' ends what was cut); may be empty.

    Idempotent, so a text that was cleaned once may be cleaned again.
    """
    text = text[: 8 * limit + 200]  # a megabyte of title is not worth reading
    text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text))
    if not text.isprintable():
        text = "".join(map(_visible, text))
    previous = None
    while previous != text:  # a token inside a token would come together when the inner one goes
        previous = text
        text = _TEMPLATE.sub(" ", text)
    text = " ".join(text.translate(_SWAP).split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def quoted(text: str, limit: int) -> str:
    """`clean` text in double quotes, which it cannot close."""
    return f'"{clean(text, limit)}"'


def _visible(char: str) -> str:
    kind = unicodedata.category(char)
    if kind in ("Cc", "Zl", "Zp"):
        return " "
    return "" if kind in ("Cf", "Cs", "Co", "Cn") else char
