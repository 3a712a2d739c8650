"""What one event counts for by its platform's configuration: what recall/cleaning.py says of a row of a file,
said of an event that came in by itself. A test holds both equal."""

from __future__ import annotations

import re
from dataclasses import dataclass

from recall.cleaning import MAX_ID
from recall.config import EventColumns, EventSource, PlatformConfig, Rating, TypeRule
from recall.ids import MICRO, micro_units
from recall.store.events import LiveEvent
from recall.types import DISLIKE, LIKE, NEUTRAL

_SPACE = " \t\n\r\v\f"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LARGEST = 10.0**12
_MILLISECONDS = 10**11
_MARKS = {"like": LIKE, "neutral": NEUTRAL, "dislike": DISLIKE}

FEEDBACK = {
    "clicked": "clicked-feedback",
    "accepted": "accepted-feedback",
    "rejected": "rejected-feedback",
    "rated": "rated-feedback",
}
"""What people do with recommendations, and the event type that it has in their history, on any platform."""

_COLUMNS = EventColumns(user="user", item="item", time="time", type="type", value="value")
_SAID = EventSource(
    path="feedback",
    columns=_COLUMNS,
    types={
        FEEDBACK["clicked"]: TypeRule(weight=0.3),
        FEEDBACK["accepted"]: TypeRule(),
        FEEDBACK["rejected"]: TypeRule(polarity="dislike"),
    },
)


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an event can't be used: a code of recall/cleaning.py, and the remedy."""

    code: str
    message: str


def weigh(
    name: str,
    platform: PlatformConfig,
    *,
    user: str,
    listing: str,
    type: str | None,
    time: int,
    value: float | None,
    latest: int,
) -> LiveEvent | Refused:
    """The event as it is kept. `type` None: that of the platform's first source. Times after `latest` (UTC
    seconds) lie in the future."""
    user, listing = user.strip(_SPACE), listing.strip(_SPACE)
    if type is None:
        type = _usual(platform)
    type = type.strip(_SPACE)
    for what, text, code in (
        ("user", user, "missing_user"),
        ("listing", listing, "missing_item"),
        ("type", type, "unknown_type"),
    ):
        if refused := _word(what, text, code):
            return refused
    if refused := _moment(time, latest):
        return refused
    source = feedback_source(platform, type) or source_of(platform, type)
    if source is None:
        known = ", ".join(sorted(known_types(platform))) or "none"
        return Refused("unknown_type", f"{name} has no events of type {type[:60]!r}; known: {known}")
    if refused := _value(type, value, source):
        return refused
    polarity, weight = judge(type, value, source)
    return LiveEvent(name, user, listing, type, time, value, weight, polarity)


def feedback_event(
    name: str,
    platform: PlatformConfig,
    *,
    user: str,
    listing: str,
    kind: str,
    time: int,
    value: float | None,
    latest: int,
) -> LiveEvent | Refused:
    """Feedback of a kind of FEEDBACK as an event; only 'rated' has a value."""
    type = FEEDBACK[kind]
    return weigh(name, platform, user=user, listing=listing, type=type, time=time, value=value, latest=latest)


def feedback_source(platform: PlatformConfig, type: str) -> EventSource | None:
    """How an event that is feedback is judged: a rating by the platform's first scale, 1 to 5 where it has
    none. None for any other type."""
    if type in _SAID.types:
        return _SAID
    if type != FEEDBACK["rated"]:
        return None
    scale = next((source.rating for source in platform.events if source.rating), None)
    rule = {type: TypeRule()}
    return EventSource(path="feedback", columns=_COLUMNS, types=rule, rating=scale or Rating())


def source_of(platform: PlatformConfig, type: str) -> EventSource | None:
    """The platform's first source that has events of this type."""
    for source in platform.events:
        typed = source.columns.type is not None
        if (type in source.types) if source.types else (typed or type == source.type):
            return source
    return None


def _usual(platform: PlatformConfig) -> str:
    """The type of an event that names none: the first source's, or the first like among its types."""
    if not platform.events:
        return "event"
    first = platform.events[0]
    return next((name for name, rule in first.types.items() if rule.polarity == "like"), first.type)


def known_types(platform: PlatformConfig) -> set[str]:
    """The types that the configuration names."""
    return {name for source in platform.events for name in (list(source.types) or [source.type])}


def judge(type: str, value: float | None, source: EventSource) -> tuple[int, int]:
    """Polarity, and weight in micro-units before decay. `value` must be on the source's scale."""
    scale = source.rating or source.watched
    rule = source.types.get(type)
    polarity = LIKE
    if rule is not None and not (scale and rule.polarity == "like"):
        polarity = _MARKS[rule.polarity]
    elif scale and value is not None:
        polarity = LIKE if value >= scale.like else DISLIKE if value <= scale.dislike else NEUTRAL
    share = 1.0
    if scale or source.types:
        neutral = scale.neutral_weight if scale else 1.0
        share = {LIKE: 1.0, NEUTRAL: neutral, DISLIKE: 0.0}[polarity]
    weight = round((source.weight if rule is None else rule.weight) * share * MICRO)
    if source.quantity and value is not None:
        weight = micro_units(weight / MICRO * min(value, source.quantity.cap))
    return polarity, weight


def _word(what: str, text: str, missing: str) -> Refused | None:
    if not text:
        return Refused(missing, f"{what} is empty")
    if _CONTROL.search(text):
        return Refused("control_characters", f"{what} holds control characters: send the platform's own id")
    if len(text) > MAX_ID:
        return Refused("id_too_long", f"{what} is longer than {MAX_ID} characters")
    return None


def _moment(time: int, latest: int) -> Refused | None:
    if time < 0:
        return Refused("time_before_1970", "time is before 1970: send UTC seconds")
    if time >= _MILLISECONDS:
        unit = next(
            unit
            for limit, unit in ((10**6, "nanoseconds"), (10**3, "microseconds"), (1, "milliseconds"))
            if time >= _MILLISECONDS * limit
        )
        return Refused(f"time_in_{unit}", f"time looks like {unit}: send UTC seconds")
    if time > latest:
        return Refused("time_in_future", "time lies in the future: send UTC seconds, and set the clock")
    return None


def _value(type: str, value: float | None, source: EventSource) -> Refused | None:
    scale = source.rating or source.watched or source.quantity
    if value is None:
        return Refused("missing_value", f"{type[:60]} needs a value") if scale else None
    if source.columns.value is None or source is _SAID:
        return Refused("bad_value", f"{type[:60]} takes no value: the platform's source has no value column")
    if not abs(value) < _LARGEST:
        return Refused("bad_value", "value is not a number below 10^12")
    if source.rating and not source.rating.min <= value <= source.rating.max:
        limits = f"{source.rating.min:g} to {source.rating.max:g}"
    elif source.watched and not 0 <= value <= source.watched.max:
        limits = f"0 to {source.watched.max:g}"
    elif source.quantity and not 0 < value <= source.quantity.max:
        limits = f"above 0, up to {source.quantity.max:g}"
    else:
        return None
    return Refused("value_off_scale", f"value is off the scale of {type[:60]}: {limits}")
