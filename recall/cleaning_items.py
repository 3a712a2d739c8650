"""What makes a catalogue row usable, as Ibis expressions; the codes are those of recall/cleaning.py."""

from __future__ import annotations

from typing import Any

import ibis

from recall.cleaning import MAX_ID, empty, number, require, seconds, text, text_or_native
from recall.config import ItemSource
from recall.ids import SEPARATOR
from recall.sources.filters import filter_expression

STAGED = {
    "platform": "string",
    "listing": "string",
    "title": "string",
    "year": "int32",
    "creators": "array<string>",
    "categories": "array<string>",
    "description": "string",
    "language": "string",
    "min_age": "int32",
    "price": "float64",
    "url": "string",
    "image": "string",
    "available_from": "int64",
    "available_to": "int64",
    "external_ids": "array<string>",
    "cut": "boolean",
    "reason": "string",
}
"""The columns of cleaned catalogue rows. `external_ids`: KIND<unit separator>VALUE; `cut`: was shortened."""

MAX_TEXT = 20_000
"""Characters of a description that are kept."""
_TITLE_YEAR = r"^(.*\S)\s*\((\d{4})\)$"


def clean_items(raw: Any, source: ItemSource, platform: str, name: str, max_title: int) -> Any:
    """Rows of STAGED, one for each row of `raw` and in its order; `name` is for errors."""
    columns = source.columns
    given = columns.model_dump(exclude={"external_ids"}, exclude_none=True)
    require(raw, [*given.values(), *columns.external_ids.values(), *source.flags], name)

    def plain(attribute: str, limit: int) -> Any:
        column = getattr(columns, attribute)
        constant = source.constants.get(attribute)  # type: ignore[call-overload]
        if column is None:
            return ibis.literal(constant, "string") if constant else ibis.null("string")
        found = tidy(_paragraphs(raw[column])).substr(0, limit)
        return ibis.ifelse(found.length() > 0, found, ibis.literal(constant, "string"))

    def numeric(attribute: str, dtype: str) -> Any:
        column = getattr(columns, attribute)
        constant = source.constants.get(attribute)  # type: ignore[call-overload]
        if column is None:
            return ibis.literal(float(constant), "float64").cast(dtype) if constant else ibis.null(dtype)
        cell = raw[column]
        if cell.type().is_string():
            cell = cell.replace(",", "").re_extract(r"-?\d+(\.\d+)?", 0)
        found = number(cell)
        return found.cast(dtype) if dtype == "float64" else found.floor().cast(dtype)

    def moment(attribute: str) -> Any:
        column = getattr(columns, attribute)
        return seconds(text_or_native(raw[column]), source.time) if column else ibis.null("int64")

    listing = text(raw[columns.item])
    title = tidy(text(raw[columns.title])) if columns.title else ibis.null("string")
    year = _year(raw[columns.year]) if columns.year else ibis.null("int32")
    if source.title_year:
        bare = title.re_extract(_TITLE_YEAR, 1)
        year = year.coalesce(_year(title.re_extract(_TITLE_YEAR, 2)))
        title = ibis.ifelse(bare.length() > 0, bare, title)
    problems: list[tuple[Any, str]] = []
    if "w_bad" in raw.columns:
        problems.append((raw["w_bad"], "bad_json"))
    if source.filter:
        problems.append((~filter_expression(source.filter, raw).fill_null(False), "filtered"))
    problems += [
        (empty(listing), "missing_item"),
        (listing.re_search(r"\p{Cc}"), "control_characters"),
        (listing.length() > MAX_ID, "id_too_long"),
    ]
    age = numeric("min_age", "int32")
    price = numeric("price", "float64")
    return raw.select(
        platform=ibis.literal(platform),
        listing=listing,
        title=ibis.ifelse(title.length() > 0, title.substr(0, max_title), None),
        year=year,
        creators=_several(raw, columns.creators, source.constants.get("creators"), source),
        categories=_categories(raw, source),
        description=plain("description", MAX_TEXT),
        language=plain("language", 40),
        min_age=ibis.ifelse(age.between(0, 150), age, ibis.null("int32")),
        price=ibis.ifelse(price >= 0, price, ibis.null("float64")),
        url=plain("url", 2_000),
        image=plain("image", 2_000),
        available_from=moment("available_from"),
        available_to=moment("available_to"),
        external_ids=_external(raw, source),
        cut=(title.length() > max_title).fill_null(False),
        reason=ibis.cases(*problems),
    )


def tidy(column: Any) -> Any:
    """Control characters become spaces, runs of white space one."""
    return column.re_replace(r"[\p{Cc}\s]+", " ").strip()


def _year(column: Any) -> Any:
    kind = column.type()
    if kind.is_timestamp() or kind.is_date():
        return column.year().cast("int32")
    cell = column if kind.is_string() else column.cast("string")
    found = cell.re_extract(r"(^|\D)(\d{4})(\D|$)", 2).try_cast("int32")
    return ibis.ifelse(found.between(1000, 2200), found, ibis.null("int32"))


def _several(raw: Any, column: str | None, constant: str | None, source: ItemSource) -> Any:
    """A list column, a text cut at the separator, or a JSON list as text; trimmed, without blanks."""
    if column is None:
        return _listed(ibis.literal(constant or "", "string"), source.separator)
    cell = raw[column]
    if cell.type().is_array():
        values = cell.map(lambda value: tidy(value.cast("string")))
        return values.filter(lambda value: value.length() > 0)
    cell = text(cell)
    inner = cell.re_replace(r'^\[\s*"?|"?\s*\]$', "").re_replace(r'"\s*,\s*"', SEPARATOR)
    listed = _listed(inner, SEPARATOR)
    cut = _listed(cell, source.separator)
    return ibis.ifelse(cell.startswith("["), listed, cut)


def _paragraphs(column: Any) -> Any:
    """A text; a list of texts, or a JSON list as text, in one."""
    if column.type().is_array():
        return column.map(lambda value: value.cast("string")).join(" ")
    cell = text(column)
    inner = cell.re_replace(r'^\[\s*"?|"?\s*\]$', "").re_replace(r'"\s*,\s*"', " ").replace('\\"', '"')
    return ibis.ifelse(cell.startswith('["') | (cell == "[]"), inner, cell)


def _listed(cell: Any, separator: str) -> Any:
    # Spark splits at a pattern: what it splits at must mean itself.
    parts = cell.fill_null("").replace(separator, SEPARATOR).split(SEPARATOR)
    values = parts.map(lambda value: tidy(value))
    return values.filter(lambda value: value.length() > 0)


def _categories(raw: Any, source: ItemSource) -> Any:
    values = _several(raw, source.columns.categories, source.constants.get("categories"), source)
    if not source.flags:
        return values
    marked = [
        ibis.ifelse(text(raw[column]).isin(["1", "true", "True"]), ibis.literal(category), "")
        for column, category in source.flags.items()
    ]
    return values.concat(ibis.array(marked).filter(lambda value: value.length() > 0))


def _external(raw: Any, source: ItemSource) -> Any:
    cells = []
    for kind, column in sorted(source.columns.external_ids.items()):
        value = tidy(text(raw[column])).substr(0, MAX_ID).fill_null("")
        cells.append(ibis.ifelse(value.length() > 0, ibis.literal(kind + SEPARATOR) + value, ""))
    if not cells:
        return ibis.null("array<string>")
    return ibis.array(cells).filter(lambda value: value.length() > 0)
