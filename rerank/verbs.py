"""What a person did, in words: verbs by event type and polarity, English and Chinese."""

from __future__ import annotations

from typing import Literal

from recall.types import DISLIKE, LIKE, Event

Language = Literal["en", "zh"]
Kind = Literal[
    "rate", "watch", "play", "listen", "read", "buy", "learn", "like", "share", "skip", "return", "choose"
]

_STEMS: tuple[tuple[str, Kind], ...] = (
    ("rat", "rate"), ("review", "rate"), ("star", "rate"), ("return", "return"), ("refund", "return"),
    ("skip", "skip"), ("dislike", "skip"), ("watch", "watch"), ("view", "watch"), ("stream", "watch"),
    ("listen", "listen"), ("scrobble", "listen"), ("play", "play"), ("read", "read"), ("purchase", "buy"),
    ("buy", "buy"), ("bought", "buy"), ("order", "buy"), ("enrol", "learn"), ("complete", "learn"),
    ("course", "learn"), ("like", "like"), ("fav", "like"), ("share", "share"), ("repost", "share"),
)  # fmt: skip
"""The beginning of an event type, and what it means; the first that fits counts."""


def kind(type: str) -> Kind:
    """What an event type means; 'choose' where its name says nothing."""
    name = type.lower()
    return next((meaning for stem, meaning in _STEMS if name.startswith(stem)), "choose")


_EN: dict[Kind, tuple[str, str, str]] = {  # like, neutral, dislike
    "rate": ("liked", "rated", "disliked"),
    "watch": ("finished", "watched part of", "gave up on"),
    "play": ("played", "tried", "gave up on"),
    "listen": ("listened to", "tried", "skipped"),
    "read": ("read", "began", "gave up on"),
    "buy": ("bought", "bought", "regretted"),
    "learn": ("took", "began", "dropped"),
    "like": ("liked", "noticed", "disliked"),
    "share": ("shared", "shared", "disliked"),
    "skip": ("skipped", "skipped", "skipped"),
    "return": ("returned", "returned", "returned"),
    "choose": ("chose", "tried", "disliked"),
}
_ZH: dict[Kind, tuple[str, str, str]] = {
    "rate": ("喜欢", "评价过", "不喜欢"),
    "watch": ("看完了", "看过一部分", "没有看完"),
    "play": ("玩过", "试过", "放弃了"),
    "listen": ("听过", "试听过", "跳过了"),
    "read": ("读过", "开始读过", "没有读完"),
    "buy": ("购买了", "购买了", "不满意"),
    "learn": ("学习了", "开始学习过", "放弃了"),
    "like": ("喜欢", "看到过", "不喜欢"),
    "share": ("分享了", "分享了", "不喜欢"),
    "skip": ("跳过了", "跳过了", "跳过了"),
    "return": ("退回了", "退回了", "退回了"),
    "choose": ("选择了", "试过", "不喜欢"),
}


def verb(event: Event, language: Language) -> str:
    """The verb of what the person did: finished, 看完了."""
    column = 0 if event.polarity == LIKE else 2 if event.polarity == DISLIKE else 1
    return (_ZH if language == "zh" else _EN)[kind(event.type)][column]


def deed(event: Event, language: Language) -> str:
    """Verb and number together: 'finished (90 %)', 'disliked (rated 1)', 'rated 3' where that says it all."""
    said = value(event, language)
    if said and kind(event.type) == "rate" and event.polarity not in (LIKE, DISLIKE):
        return said
    return verb(event, language) + (f" ({said})" if said else "")


def value(event: Event, language: Language) -> str:
    """The number that goes with it, as text: 'rated 4', '90 %'; '' when it says nothing."""
    if event.value is None:
        return ""
    if kind(event.type) == "rate":
        return f"评分 {event.value:g}" if language == "zh" else f"rated {event.value:g}"
    if kind(event.type) in ("watch", "play", "listen", "read", "learn") and 0 <= event.value <= 1:
        return f"{100 * event.value:.0f} %"
    return ""
