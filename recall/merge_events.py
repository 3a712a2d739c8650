"""From staged rows to the build's events, interactions and people, as Ibis expressions.

Whatever is left out (duplicates, near duplicates, bots, times after the clock) is found first, as a small
table of places (file_order, row), and taken away by an anti-join on these; so the large table is sorted
once, when it is written. Rows that may have a copy are told by a hash (`h`) that occurs twice: counting
those takes a third of the time and memory of a window over all rows, which only the few left then need.
"""

from __future__ import annotations

from typing import Any

import ibis

from recall.ids import MICRO, SEPARATOR
from recall.types import DISLIKE

DAY = 86_400
PLACE = ("file_order", "row")


def usable(staged: Any, latest: int) -> Any:
    """Rows without a reason against them and not after `latest` (UTC seconds)."""
    return staged.filter(staged.reason.isnull() & (staged.time <= latest)).drop("reason")


def future(staged: Any, latest: int) -> Any:
    """Rows without a reason against them, after `latest`."""
    return staged.filter(staged.reason.isnull() & (staged.time > latest))


def contents(rows: Any) -> list[Any]:
    """What makes an event the same event, its platform aside: what `event_id` hashes."""
    micro = (rows.value * float(MICRO)).round().cast("int64")
    return [rows.user, rows.listing, rows.type, micro, rows.time]


def event_id(rows: Any) -> Any:
    """recall.ids.event_id of each row."""
    user, listing, type, micro, time = contents(rows)
    joined = rows.platform + SEPARATOR
    for part in (user, listing, type, micro.cast("string").fill_null("")):
        joined = joined + part + SEPARATOR
    return ibis.literal("e") + (joined + time.cast("string")).hexdigest("md5")


def repeated(rows: Any) -> Any:
    """The values of the column `h` that occur more than once."""
    counted = rows.group_by("h").agg(n=rows.count())
    return counted.filter(counted.n > 1).select("h")


def copies(rows: Any, twice: Any) -> Any:
    """Places of the rows that repeat an earlier one of `rows` (one platform, with `h`), and its place.

    Earlier: by file and row. `first_order` and `first_row` say where it stands.
    """
    found = rows.semi_join(twice, "h")
    user, listing, type, micro, time = contents(found)
    found = found.select(*PLACE, user=user, listing=listing, type=type, micro=micro, time=time)
    window = ibis.window(group_by=["user", "listing", "type", "micro", "time"], order_by=list(PLACE))
    found = found.select(
        *PLACE,
        copy=ibis.row_number().over(window),
        first_order=found.file_order.first().over(window),
        first_row=found.row.first().over(window),
    )
    return found.filter(found.copy > 0).drop("copy")


def accounts(rows: Any) -> Any:
    """Every (platform, user) with first_seen and the number of events."""
    return rows.group_by("platform", "user").agg(first_seen=rows.time.min(), events=rows.count())


def listings_seen(rows: Any) -> Any:
    """Every (platform, listing) that events name, with first_seen and the number of events."""
    return rows.group_by("platform", "listing").agg(first_seen=rows.time.min(), events=rows.count())


def persons(links: Any) -> Any:
    """(platform, user, person, c_person) of recall.tables.LINKS."""
    mine = links.filter(links.kind == "person")
    return mine.select("platform", user="key", person="target", c_person="confidence")


def linked(rows: Any, links: Any) -> Any:
    """`rows` with person, item and the confidence of both links together."""
    items = links.filter(links.kind == "item").select(
        "platform", listing="key", item="target", c_item="confidence"
    )
    joined = rows.inner_join(persons(links), ["platform", "user"]).inner_join(items, ["platform", "listing"])
    return joined.mutate(confidence=(joined.c_person * joined.c_item).cast("float32"))


def bots(rows: Any, counts: Any, links: Any, limits: Any) -> Any:
    """(platform, user, most) of the persons with more events on one UTC day of a platform than its limit.

    `counts` are `accounts`, `limits` (platform, events_per_day); `most` is the number of events of the
    person's busiest day. Only accounts of persons with more events in all than the limit are counted by day.
    """
    people = persons(links).drop("c_person")
    mine = counts.inner_join(people, ["platform", "user"])
    total = mine.group_by("platform", "person").agg(total=mine.events.sum())
    busy = total.inner_join(limits, "platform")
    busy = busy.filter(busy.total > busy.events_per_day).select("platform", "person")
    suspects = people.semi_join(busy, ["platform", "person"])
    theirs = rows.select("platform", "user", "time").inner_join(suspects, ["platform", "user"])
    daily = theirs.group_by("platform", "person", day=theirs.time // DAY).agg(n=theirs.count())
    most = daily.group_by("platform", "person").agg(most=daily.n.max())
    over = most.inner_join(limits, "platform")
    over = over.filter(over.most > over.events_per_day).select("platform", "person", "most")
    return suspects.inner_join(over, ["platform", "person"]).select("platform", "user", "most")


def near_duplicates(rows: Any, twice: Any, seconds: int) -> Any:
    """Places of the rows that another of the same person, item and type follows within `seconds`.

    `rows` are linked and have `h`, a hash of the three; `twice` are its repeated values. `following` is the
    time of the other one.
    """
    close = rows.semi_join(twice, "h")
    close = close.select(*PLACE, "person", "item", "type", "time", event=event_id(close))
    window = ibis.window(group_by=["person", "item", "type"], order_by=["time", "event"])
    close = close.select(*PLACE, "time", following=close.time.lead().over(window))
    return close.filter(close.following - close.time <= seconds).select(*PLACE, "following")


def events(rows: Any) -> Any:
    """The build's events, of linked rows, in the order of recall.tables.EVENTS."""
    rows = rows.mutate(event=event_id(rows))
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
            platforms=each.platform.collect().sort(),
            events=each.n.sum().cast("int32"),
            first=each["first"].min(),
            last=each["last"].max(),
        )
        .order_by("person")
    )
