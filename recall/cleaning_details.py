"""What a reason code means in one source: the column at fault and what it should have held."""

from __future__ import annotations

from recall.cleaning import MAX_ID
from recall.config import AccountSource, EventSource, ItemSource, Source
from recall.sources.csv_scan import MAX_RECORD

_UNITS = ("seconds", "milliseconds", "microseconds", "nanoseconds")
_WHOLE = {
    "erased": "the account was erased",
    "broken_quotes": f"a quoted field is not closed, or goes on for more than {MAX_RECORD:,} bytes",
    "bad_json": "the line is not a JSON object",
}


def detail(reason: str, source: Source, fields: int = 0) -> str | None:
    """A sentence for the code `reason` (recall/cleaning.py); None where the code says it all.

    `fields` is the number of a CSV file's columns.
    """
    if reason in ("too_few_fields", "too_many_fields"):
        return f"the row should have {fields} fields"
    if reason == "invalid_encoding":
        return f"the row is not {source.encoding}; state the file's `encoding`"
    if reason == "filtered":
        return f"the filter does not hold: {source.filter}"
    if found := _WHOLE.get(reason):
        return found
    if isinstance(source, EventSource):
        return _of_event(reason, source)
    if isinstance(source, ItemSource):
        return _of_key(reason, {"missing_item": source.columns.item}, [source.columns.item])
    if isinstance(source, AccountSource):
        return _of_key(reason, {"missing_user": source.columns.user}, [source.columns.user])
    return None


def _of_key(reason: str, missing: dict[str, str | None], keys: list[str]) -> str | None:
    if column := missing.get(reason):
        return f"{column!r} is empty"
    names = " or ".join(map(repr, keys))
    if reason == "control_characters":
        return f"{names} holds a control character"
    if reason == "id_too_long":
        return f"{names} is longer than {MAX_ID} characters"
    return None


def _of_event(reason: str, source: EventSource) -> str | None:
    columns = source.columns
    missing = {
        "missing_user": columns.user,
        "missing_item": columns.item,
        "missing_time": columns.time,
        "missing_value": columns.value,
    }
    keys = [column for column in (columns.user, columns.item, columns.type) if column]
    if found := _of_key(reason, missing, keys):
        return found
    if reason == "bad_time":
        return f"{columns.time!r} is no time in {source.time}"
    if reason.startswith("time_in_") and reason.removeprefix("time_in_") in _UNITS:
        unit = reason.removeprefix("time_in_")
        return f"{columns.time!r} looks like {unit}; the source says time = {source.time!r}"
    if reason == "time_before_1970":
        return f"{columns.time!r} lies before 1970"
    if reason == "bad_value":
        return f"{columns.value!r} is not a number below 10¹²"
    if reason == "unknown_type":
        return f"{columns.type!r} is none of {', '.join(sorted(source.types))}"
    if reason == "value_off_scale":
        return f"{columns.value!r} is not {_scale(source)}"
    return None


def _scale(source: EventSource) -> str:
    if source.rating:
        return f"from {source.rating.min:g} to {source.rating.max:g}"
    if source.watched:
        return f"from 0 to {source.watched.max:g}"
    return f"above 0 and at most {source.quantity.max:g}" if source.quantity else "on the scale"
