"""From staged catalogue rows to the build's listings and items, as Ibis expressions."""

from __future__ import annotations

from typing import Any

import ibis

from recall.ids import SEPARATOR

_PLAIN = ("title", "year", "description", "language", "min_age")
_LISTS = ("creators", "categories")
_ARTICLES = "The|A|An|La|Le|L'|Les|Las|Los|El|Il|Lo|Gli|Der|Die|Das|Un|Une|Uno|Una|De|Het|Den|Det"
_MOVED = rf"^(.+?), ({_ARTICLES})( [(].*)?$"
ATTRIBUTES = (
    "title", "year", "creators", "categories", "description", "language", "min_age", "price", "url", "image",
    "available_from", "available_to", "external_ids",
)  # fmt: skip


def numbered_copies(numbered: Any) -> Any:
    """Usable catalogue rows, the copies of each (platform, listing) numbered from 0 by (file_order, row)."""
    window = ibis.window(group_by=["platform", "listing"], order_by=["file_order", "row"])
    rows = numbered.filter(numbered.reason.isnull())
    return rows.mutate(copy=ibis.row_number().over(window))


def catalogue(first: Any, seen: Any) -> Any:
    """Every listing, those that only events name included, with `first_seen` (null without events)."""
    known = first.select("platform", "listing", *ATTRIBUTES).left_join(seen, ["platform", "listing"])
    known = known.select("platform", "listing", *ATTRIBUTES, "first_seen")
    unknown = seen.anti_join(first, ["platform", "listing"])
    schema = known.schema()
    blank = unknown.select(
        "platform",
        "listing",
        **{name: ibis.null(schema[name]) for name in ATTRIBUTES},
        first_seen="first_seen",
    )
    return known.union(blank)


def listings(every: Any, links: Any) -> Any:
    """`catalogue` with items, in the order of recall.tables.LISTINGS; `external_ids` as lists still."""
    items = links.filter(links.kind == "item").select("platform", "confidence", listing="key", item="target")
    joined = every.inner_join(items, ["platform", "listing"])
    return joined.select("platform", "listing", "item", *ATTRIBUTES, "first_seen", "confidence")


def items(rows: Any) -> Any:
    """One row per item: each attribute from the item's first listing that has it.

    First: by first event, then platform and listing. `rows` are `listings`. External ids of all of an item's
    listings are put together; where two differ in one kind, the smaller stands. A title's article stands in
    front; the listings keep theirs as the platform writes it.
    """
    rows = rows.mutate(
        order=rows.first_seen.fill_null(2**62),
        **{
            name: ibis.ifelse(rows[name].length() > 0, rows[name], ibis.null("array<string>"))
            for name in _LISTS
        },
    )
    by = ibis.window(group_by="item", order_by=["order", "platform", "listing"])
    rows = rows.mutate(place=ibis.row_number().over(by))
    grouped = rows.group_by("item").agg(
        **{name: rows[name].argmin(rows.place, where=rows[name].notnull()) for name in (*_PLAIN, *_LISTS)}
    )
    pairs = rows.select("item", pair=rows.external_ids.unnest())
    pairs = pairs.select("item", kind=pairs.pair.split(SEPARATOR)[0], value=pairs.pair.split(SEPARATOR)[1])
    single = pairs.group_by("item", "kind").agg(value=pairs.value.min())
    single = single.select("item", pair=single.kind + SEPARATOR + single["value"])
    ids = single.group_by("item").agg(pairs=single.pair.collect())
    joined = grouped.left_join(ids, "item")
    return joined.select(
        "item",
        article_first(joined.title).name("title"),
        "year",
        "creators",
        "categories",
        "description",
        "language",
        "min_age",
        external_ids=as_map(joined.pairs.sort()),
    ).order_by("item")


def article_first(title: Any) -> Any:
    """'Usual Suspects, The' → 'The Usual Suspects', what follows in brackets left where it is."""
    rest, article = title.re_extract(_MOVED, 1), title.re_extract(_MOVED, 2)
    front = article + ibis.ifelse(article.endswith("'"), "", " ")
    moved = front + rest + title.re_extract(_MOVED, 3).fill_null("")
    return ibis.ifelse(rest.length() > 0, moved, title)


def with_map(rows: Any) -> Any:
    """`listings` with external_ids as a map, sorted by platform and listing."""
    return rows.mutate(external_ids=as_map(rows.external_ids)).order_by("platform", "listing")


def as_map(pairs: Any) -> Any:
    """A map of KIND<unit separator>VALUE texts, empty where there are none."""
    pairs = pairs.fill_null(ibis.literal([], "array<string>"))
    kinds = pairs.map(lambda pair: pair.split(SEPARATOR)[0])
    values = pairs.map(lambda pair: pair.split(SEPARATOR)[1])
    return ibis.map(kinds, values)
