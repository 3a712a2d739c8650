"""What makes an event usable, as Ibis expressions: the same on every engine.

`clean_events` keeps every row and says in `reason` why one can't be used (null: it can). The codes:

missing_user, missing_item, missing_time, missing_value   an empty cell
control_characters, id_too_long                           in the user, item or type
bad_time, bad_value                                       not a time or number of the stated form
time_in_seconds / _milliseconds / _microseconds / _nanoseconds   the column has another unit than stated
time_before_1970, time_in_future
value_off_scale                                           outside the rating scale, share or quantity
unknown_type                                              not among the source's `types`
filtered                                                  set aside: the source's filter does not hold
erased                                                    set aside: the account's data were erased

and, of whole rows, from the readers: too_few_fields, too_many_fields, broken_quotes, invalid_encoding,
bad_json; from merging: duplicate, near_duplicate (duplicates), bot (set aside).
"""

from __future__ import annotations

from typing import Any

import ibis

from recall.config import EventSource, TimeUnit
from recall.errors import DataError
from recall.ids import MICRO
from recall.sources.filters import filter_expression
from recall.types import DISLIKE, LIKE, NEUTRAL

SET_ASIDE = frozenset({"filtered", "bot", "erased"})
DUPLICATES = frozenset({"duplicate", "near_duplicate"})

MAX_ID = 256
"""Characters of a user, item or type."""

STAGED = {
    "platform": "string",
    "user": "string",
    "listing": "string",
    "type": "string",
    "value": "float64",
    "weight": "int64",
    "polarity": "int8",
    "time": "int64",
    "reason": "string",
}
"""The columns of cleaned events. `user`, `listing` and `type` are trimmed; `weight` is in micro-units."""

_PER_SECOND = {"seconds": 1, "milliseconds": 1_000, "microseconds": 1_000_000}
_LATEST = 10**11
"""Seconds later than this (the year 5138) are milliseconds."""
_EARLIEST = 10**8
"""Milliseconds or microseconds that would lie before this (March 1973) are a coarser unit."""
_LARGEST = 10.0**12
"""Values are kept as whole micro-units in 64 bits."""
_ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.]\d{1,9})?)?)? ?([Zz]|UTC|GMT|[+-]\d{2}(:?\d{2})?)?$"


def clean_events(raw: Any, source: EventSource, platform: str, name: str) -> Any:
    """Rows of STAGED, one for each row of `raw` and in its order; `name` is for errors."""
    columns = source.columns
    require(
        raw, [c for c in (columns.user, columns.item, columns.time, columns.type, columns.value) if c], name
    )
    user, listing = text(raw[columns.user]), text(raw[columns.item])
    # Each step is a projection of its own, so that no engine computes a parsed cell twice.
    table = raw.mutate(w_user=user, w_listing=listing, w_time=text_or_native(raw[columns.time]))
    if columns.type:
        given = text(raw[columns.type])
        table = table.mutate(w_type=ibis.ifelse(given.length() > 0, given, source.type))
    else:
        table = table.mutate(w_type=ibis.literal(source.type))
    if columns.value:
        cell = text_or_native(raw[columns.value])
        table = table.mutate(w_cell=cell, w_value=number(cell))
    table = table.mutate(w_seconds=seconds(table.w_time, source.time))
    return _judged(table, source, platform)


def _judged(table: Any, source: EventSource, platform: str) -> Any:
    columns = source.columns
    typed = columns.type is not None
    keys = table.w_user + table.w_listing + (table.w_type if typed else "")
    problems: list[tuple[Any, str]] = []
    if "w_bad" in table.columns:
        problems.append((table.w_bad, "bad_json"))
    if source.filter:
        holds = filter_expression(source.filter, table)
        problems.append((~holds.fill_null(False), "filtered"))
    problems += [
        (empty(table.w_user), "missing_user"),
        (empty(table.w_listing), "missing_item"),
        (table.w_time.isnull() | _blank(table.w_time), "missing_time"),
        (keys.re_search(r"\p{Cc}"), "control_characters"),
        ((table.w_user.length() > MAX_ID) | (table.w_listing.length() > MAX_ID), "id_too_long"),
        (table.w_seconds.isnull(), "bad_time"),
        *wrong_unit(table.w_seconds, source.time),
        (table.w_seconds < 0, "time_before_1970"),
    ]
    value: Any = ibis.null("float64")
    if columns.value:
        value = table.w_value
        missing = table.w_cell.isnull() | _blank(table.w_cell)
        if source.rating or source.watched or source.quantity:
            problems.append((missing, "missing_value"))
        problems.append((value.isnull() & ~missing, "bad_value"))
        problems += [(off, "value_off_scale") for off in _off_scale(value, source)]
    if typed:
        problems.append((table.w_type.length() > MAX_ID, "id_too_long"))
        if source.types:
            problems.append((~table.w_type.isin(sorted(source.types)), "unknown_type"))
    polarity = _polarity(table.w_type, value, source)
    return table.select(
        platform=ibis.literal(platform),
        user=table.w_user,
        listing=table.w_listing,
        type=table.w_type,
        value=value,
        weight=_weight(table.w_type, value, polarity, source),
        polarity=polarity.cast("int8"),
        time=table.w_seconds,
        reason=ibis.cases(*problems),
    )


def require(raw: Any, wanted: list[str], name: str) -> None:
    """DataError when a configured column is not among the source's."""
    for column in wanted:
        if column not in raw.columns:
            raise DataError(
                f"{name}: no column {column!r}; found {', '.join(map(repr, raw.columns[:40]))}; "
                "correct `columns` in whyrec.toml"
            )


def text(column: Any) -> Any:
    """The column as trimmed text; numbers print without a fraction where they have none."""
    if column.type().is_floating():
        whole = column.cast("int64")
        column = ibis.ifelse(whole.cast("float64") == column, whole.cast("string"), column.cast("string"))
    elif not column.type().is_string():
        column = column.cast("string")
    return column.strip()


def text_or_native(column: Any) -> Any:
    """Trimmed text, or the column itself where the source has numbers or times.

    Text is trimmed before it is ever cast. A cast straight on a column of a CSV view is pushed into DuckDB's
    reader (2.0), where one cell that does not parse fails the whole file instead of giving null.
    """
    return column.strip() if column.type().is_string() else column


def number(column: Any) -> Any:
    """float64; null where it is not a finite number below 10¹²."""
    value = column.try_cast("float64") if column.type().is_string() else column.cast("float64")
    return ibis.ifelse(value.abs() < _LARGEST, value, ibis.null("float64"))


def seconds(column: Any, unit: TimeUnit) -> Any:
    """int64 UTC seconds, rounded down; null where the cell is not of the stated form.

    ISO 8601 and dates have no zone or an offset. The offset is cut off and subtracted here, because
    DuckDB without its ICU extension reads a zone and ignores it.
    """
    kind = column.type()
    if kind.is_timestamp():
        return _epoch(column)
    if kind.is_date():
        return _epoch(column.cast("timestamp"))
    if unit in _PER_SECOND:
        value = number_of_any_size(column)
        return (value / float(_PER_SECOND[unit])).floor().cast("int64")
    column = column if kind.is_string() else column.cast("string")
    if unit == "date":
        return _epoch(
            ibis.ifelse(column.re_search(r"^\d{4}-\d{2}-\d{2}$"), column, None).try_cast("timestamp")
        )
    sound = ibis.ifelse(column.re_search(_ISO), column, None)
    # A fraction is cut off, not cast: engines round moments before 1970 in different directions.
    with_seconds = sound.substr(16, 1) == ":"
    local = ibis.ifelse(with_seconds, sound.substr(0, 19), sound.substr(0, 16)).try_cast("timestamp")
    tail = sound.substr(16)
    east = tail.contains("+")
    zoned = east | tail.contains("-")
    digits = ibis.ifelse(zoned, tail.re_extract(r"[+-]\d{2}:?(\d{2})?$", 0).replace(":", ""), "")
    minutes = digits.substr(1, 2).try_cast("int64") * 60 + digits.substr(3, 2).try_cast("int64").fill_null(0)
    return _epoch(local) - ibis.ifelse(zoned, ibis.ifelse(east, 60, -60) * minutes, 0)


def number_of_any_size(column: Any) -> Any:
    value = column.try_cast("float64") if column.type().is_string() else column.cast("float64")
    return ibis.ifelse(value.abs() < 9e18, value, ibis.null("float64"))


def wrong_unit(found: Any, unit: TimeUnit) -> list[tuple[Any, str]]:
    """Cases that name the unit that `found` (seconds under the stated unit) was really in."""
    if unit == "seconds":
        return [
            (found >= _LATEST * 1_000_000, "time_in_nanoseconds"),
            (found >= _LATEST * 1_000, "time_in_microseconds"),
            (found >= _LATEST, "time_in_milliseconds"),
        ]
    if unit == "milliseconds":
        return [
            (found >= _LATEST * 1_000, "time_in_nanoseconds"),
            (found >= _LATEST, "time_in_microseconds"),
            ((found >= _EARLIEST // 1_000) & (found < _EARLIEST), "time_in_seconds"),
        ]
    if unit == "microseconds":
        return [
            (found >= _LATEST, "time_in_nanoseconds"),
            ((found >= _EARLIEST // 1_000) & (found < _EARLIEST), "time_in_milliseconds"),
            ((found >= _EARLIEST // 1_000_000) & (found < _EARLIEST // 1_000), "time_in_seconds"),
        ]
    return []


def empty(column: Any) -> Any:
    return column.isnull() | (column.length() == 0)


def _blank(column: Any) -> Any:
    return (column.length() == 0) if column.type().is_string() else ibis.literal(False)


def _epoch(moment: Any) -> Any:
    # Ibis types epoch seconds as int32 while DuckDB gives a double: round down before it is narrowed.
    return moment.epoch_seconds().cast("float64").floor().cast("int64")


def _off_scale(value: Any, source: EventSource) -> list[Any]:
    if source.rating:
        return [(value < source.rating.min) | (value > source.rating.max)]
    if source.watched:
        return [(value < 0) | (value > source.watched.max)]
    if source.quantity:
        return [(value <= 0) | (value > source.quantity.max)]
    return []


def _polarity(type: Any, value: Any, source: EventSource) -> Any:
    scale = source.rating or source.watched
    default: Any = ibis.literal(LIKE, "int8")
    if scale:
        default = ibis.cases((value >= scale.like, LIKE), (value <= scale.dislike, DISLIKE), else_=NEUTRAL)
    marks = {"like": LIKE, "neutral": NEUTRAL, "dislike": DISLIKE}
    ruled = [
        (type == name, marks[rule.polarity])
        for name, rule in sorted(source.types.items())
        if not (scale and rule.polarity == "like")
    ]
    return ibis.cases(*ruled, else_=default) if ruled else default


def _weight(type: Any, value: Any, polarity: Any, source: EventSource) -> Any:
    """Micro-units: whole numbers, so that sums do not depend on their order."""
    scale = source.rating or source.watched
    neutral = scale.neutral_weight if scale else 1.0

    def by_polarity(weight: float) -> Any:
        whole = ibis.literal(round(weight * MICRO), "int64")
        if not scale and not source.types:
            return whole
        middle = ibis.literal(round(weight * neutral * MICRO), "int64")
        nothing = ibis.literal(0, "int64")
        return ibis.cases((polarity == LIKE, whole), (polarity == NEUTRAL, middle), else_=nothing)

    rules = [(type == name, by_polarity(rule.weight)) for name, rule in sorted(source.types.items())]
    base = by_polarity(source.weight)
    weight = ibis.cases(*rules, else_=base) if rules else base
    if source.quantity:
        pieces = ibis.least(value, source.quantity.cap)
        weight = (weight.cast("float64") * pieces).round().cast("int64")
    return weight
