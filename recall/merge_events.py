"""From staged rows to the build's events, interactions and people, as Ibis expressions.

Whatever is left out (duplicates, near duplicates, bots, times after the clock) is found first, as a small
table, and taken away by an anti-join; so the large table is sorted once, when it is written.
"""

from __future__ import annotations

from typing import Any

import ibis

from recall.ids import MICRO
from recall.types import DISLIKE

DAY = 86_400


def usable(staged: Any, latest: int) -> Any:
    """Rows without a reason against them and not after `latest` (UTC seconds)."""
    return staged.filter(staged.reason.isnull() & (staged.time <= latest)).drop("reason")


def repeated(rows: Any) -> Any:
    """Event ids that may occur more than once: the column `event`, each possibly several times.

    A 64-bit hash is counted first, which takes a third of the memory that counting the ids takes.
    """
    hashed = rows.select("event", h=rows.event.hash())
    counted = hashed.group_by("h").agg(n=hashed.count())
    twice = counted.filter(counted.n > 1)
    return hashed.semi_join(twice, "h").select("event")


def ranked_copies(numbered: Any, events: Any) -> Any:
    """The rows of `events`, the copies of each numbered from 0 by (file_order, row)."""
    copies = numbered.semi_join(events.distinct(), "event")
    window = ibis.window(group_by="event", order_by=["file_order", "row"])
    return copies.mutate(copy=ibis.row_number().over(window))


def accounts(rows: Any) -> Any:
    """Every (platform, user) with first_seen and the number of events."""
    return rows.group_by("platform", "user").agg(first_seen=rows.time.min(), events=rows.count())


def listings_seen(rows: Any) -> Any:
    """Every (platform, listing) that events name, with first_seen."""
    return rows.group_by("platform", "listing").agg(first_seen=rows.time.min())


def linked(rows: Any, links: Any) -> Any:
    """`rows` with person, item and the confidence of both links together."""
    people = links.filter(links.kind == "person").select(
        "platform", user="key", person="target", c_person="confidence"
    )
    items = links.filter(links.kind == "item").select(
        "platform", listing="key", item="target", c_item="confidence"
    )
    joined = rows.inner_join(people, ["platform", "user"]).inner_join(items, ["platform", "listing"])
    return joined.mutate(confidence=(joined.c_person * joined.c_item).cast("float32"))


def bots(rows: Any, counts: Any, links: Any, limits: Any) -> Any:
    """(platform, user) of the persons with more events on one UTC day of a platform than its limit.

    `counts` are `accounts`, `limits` (platform, events_per_day). Only accounts of persons with more events
    in all than the limit are counted by day.
    """
    people = links.filter(links.kind == "person").select("platform", user="key", person="target")
    mine = counts.inner_join(people, ["platform", "user"])
    total = mine.group_by("platform", "person").agg(total=mine.events.sum())
    busy = total.inner_join(limits, "platform")
    busy = busy.filter(busy.total > busy.events_per_day)
    suspects = people.semi_join(busy, ["platform", "person"])
    theirs = rows.inner_join(suspects, ["platform", "user"])
    daily = theirs.group_by("platform", "person", day=theirs.time // DAY).agg(n=theirs.count())
    over = daily.inner_join(limits, "platform")
    over = over.filter(over.n > over.events_per_day).select("platform", "person").distinct()
    return suspects.semi_join(over, ["platform", "person"]).select("platform", "user")


def near_duplicates(rows: Any, seconds: int) -> Any:
    """Ids of the events that another of the same person, item and type follows within `seconds`."""
    key = ["person", "item", "type"]
    keyed = rows.select("event", "time", *key, h=(rows.person + rows.item + rows.type).hash())
    counted = keyed.group_by("h").agg(n=keyed.count())
    close = keyed.semi_join(counted.filter(counted.n > 1), "h")
    window = ibis.window(group_by=key, order_by=["time", "event"])
    close = close.mutate(following=close.time.lead().over(window))
    return close.filter(close.following - close.time <= seconds).select("event")


def events(rows: Any) -> Any:
    """The build's events, in the order of recall.tables.EVENTS."""
    return rows.select(
        "event",
        "person",
        "item",
        "platform",
        "user",
        "listing",
        "type",
        "value",
        "weight",
        "polarity",
        "time",
        "confidence",
    ).order_by("person", "time", "event")


def interactions(rows: Any, groups: Any | None, reference: int, half_life_days: float, cap: float) -> Any:
    """One row per (person, group, item) with its decayed, capped weight; dislikes are left out.

    `groups` (person, platform, group) holds the persons whose platforms don't all serve each other; everyone
    else is group 0. Each event's decayed weight is rounded to whole micro-units (at least one) before it is
    summed, so that no order of the rows changes a sum.
    """
    liked = rows.filter((rows.polarity != DISLIKE) & (rows.weight > 0))
    age = (ibis.literal(reference, "int64") - liked.time).cast("float64") / (half_life_days * DAY)
    decayed = (liked.weight.cast("float64") * ibis.literal(2.0).pow(-age)).round().cast("int64")
    liked = liked.select("person", "item", "platform", "time", decayed=ibis.greatest(decayed, 1))
    if groups is None:
        grouped = liked.mutate(group=ibis.literal(0, "int32"))
    else:
        alone = liked.anti_join(groups, "person").mutate(group=ibis.literal(0, "int32"))
        apart = liked.inner_join(groups, ["person", "platform"])
        columns = ["person", "item", "platform", "time", "decayed", "group"]
        grouped = alone.select(columns).union(apart.select(columns))
    summed = grouped.group_by("person", "group", "item").agg(
        weight=grouped.decayed.sum(), events=grouped.count().cast("int32"), last=grouped.time.max()
    )
    most = ibis.literal(round(cap * MICRO), "int64")
    weight = ibis.least(summed.weight.cast("int64"), most)
    return summed.select("person", "group", "item", weight=weight, events="events", last="last").order_by(
        "person", "group", "item"
    )


def people(rows: Any) -> Any:
    """One row per person who has events."""
    each = rows.group_by("person", "platform").agg(
        n=rows.count(), first=rows.time.min(), last=rows.time.max()
    )
    return (
        each.group_by("person")
        .agg(
            platforms=each.platform.collect(order_by="platform"),
            events=each.n.sum().cast("int32"),
            first=each["first"].min(),
            last=each["last"].max(),
        )
        .order_by("person")
    )
