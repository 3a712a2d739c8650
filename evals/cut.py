"""A build without what is held out: what training, links and history may know in an evaluation.

It is an ordinary build in a workspace of its own, so that training, library and pipeline run on it as they
run in the service.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evals.relabel import Relabelled, relabelled
from evals.splits import Held
from recall.build_table import read_table
from recall.dataset import Dataset
from recall.ids import MICRO
from recall.tables import SCHEMAS
from recall.types import DISLIKE
from recall.workspace import Workspace

DAY = 86_400


def write_cut(
    build: Path,
    dataset: Dataset,
    held: Held,
    workspace: Workspace,
    *,
    moment: int | None,
    half_life_days: float,
    cap: float,
    platforms: frozenset[str] | None = None,
    items: Mapping[tuple[str, str], str] | None = None,
) -> Path:
    """Write `build` (loaded as `dataset`) with the kept events only, make it current, return its folder.

    `moment` (UTC seconds) is where decay is taken and where links end: an account or listing first seen from
    then on has no link; None leaves both as they are. Of people whose platforms don't all serve each other an
    interaction keeps the share of its weight that its kept events had. `platforms` leaves only these;
    `items` gives listings, (platform, listing), other items, and people with several consent groups go.
    """
    keep = held.keep.copy()
    if platforms is not None:
        keep &= np.isin(dataset.event_platform, [dataset.platforms.index(name) for name in platforms])
    old = read_table(build, "interactions", SCHEMAS["interactions"].names)
    several = _several_groups(dataset, old)
    if items is not None:
        keep &= ~several[dataset.event_person]
    chosen = held.order[keep[held.order]]
    events = read_table(build, "events", SCHEMAS["events"].names).take(pa.array(chosen))
    tables = {name: read_table(build, name, SCHEMAS[name].names) for name in ("items", "listings", "links")}
    if platforms is not None:
        tables["listings"] = tables["listings"].filter(_among(tables["listings"]["platform"], platforms))
        tables["links"] = tables["links"].filter(_among(tables["links"]["platform"], platforms))
    if items is not None:
        new: Relabelled = relabelled(events, tables, items)
        events, tables = new.events, new.tables
    if moment is not None:
        tables["links"] = tables["links"].filter(pc.less(tables["links"]["since"], moment))
    reference = dataset.reference_time if moment is None else moment
    alone = pa.array(~several[dataset.event_person[chosen]])
    tables["events"] = events
    tables["interactions"] = _interactions(events.filter(alone), reference, half_life_days, cap)
    if items is None and several.any():
        rest = _shares(dataset, old, keep, several, reference, half_life_days)
        both = pa.concat_tables([tables["interactions"], rest])
        tables["interactions"] = both.sort_by([(name, "ascending") for name in ("person", "group", "item")])
    tables["people"] = _people(events)
    tables["rejects"] = SCHEMAS["rejects"].empty_table()
    return _write(workspace, tables, build.name, reference)


def _write(workspace: Workspace, tables: Mapping[str, pa.Table], source: str, reference: int) -> Path:
    builds = workspace.builds
    with builds.new("cut") as part:
        for name, schema in SCHEMAS.items():
            pq.write_table(tables[name].select(schema.names).cast(schema), part / f"{name}.parquet")
        manifest = {"build": part.stem, "reference_time": int(reference), "source": source}
        (part / "manifest.json").write_text(json.dumps(manifest))
        (part / "report.json").write_text("{}")
    return builds.use(part.stem)


def _several_groups(dataset: Dataset, interactions: pa.Table) -> np.ndarray:
    """bool[persons]: whose platforms don't all serve each other."""
    beyond = interactions.filter(pc.greater(interactions["group"], 0))
    found = np.zeros(len(dataset.persons), bool)
    found[dataset.persons.rows(pc.unique(beyond["person"]).to_pylist())] = True
    return found


def _interactions(events: pa.Table, reference: int, half_life_days: float, cap: float) -> pa.Table:
    """As recall.merge_events.interactions, everybody in one group."""
    liked = events.filter(pc.and_(pc.not_equal(events["polarity"], DISLIKE), pc.greater(events["weight"], 0)))
    age = (reference - liked["time"].to_numpy()) / (half_life_days * DAY)
    decayed = np.maximum(np.round(liked["weight"].to_numpy() * np.exp2(-age)).astype(np.int64), 1)
    flat = pa.table(
        {"person": liked["person"], "item": liked["item"], "time": liked["time"], "w": pa.array(decayed)}
    )
    summed = flat.group_by(["person", "item"]).aggregate([("w", "sum"), ("time", "count"), ("time", "max")])
    weight = np.minimum(summed["w_sum"].to_numpy(), round(cap * MICRO))
    table = pa.table(
        {
            "person": summed["person"],
            "group": pa.array(np.zeros(len(summed), np.int32)),
            "item": summed["item"],
            "weight": pa.array(weight.astype(np.int64)),
            "events": summed["time_count"].cast(pa.int32()),
            "last": summed["time_max"],
        }
    )
    return table.sort_by([("person", "ascending"), ("item", "ascending")])


def _shares(
    dataset: Dataset,
    interactions: pa.Table,
    keep: np.ndarray,
    several: np.ndarray,
    reference: int,
    half_life_days: float,
) -> pa.Table:
    """Interactions of people with several groups: each times the share of its decayed weight that is kept."""
    person, wide = dataset.event_person, np.int64(max(len(dataset.items), 1))
    age = (dataset.reference_time - dataset.event_time) / (half_life_days * DAY)
    liked = (dataset.event_polarity != DISLIKE) & several[person]
    weight = np.where(liked, dataset.event_weight * np.exp2(-age), 0.0)
    pairs, where = np.unique(person * wide + dataset.event_item, return_inverse=True)
    whole = np.bincount(where, weight, minlength=len(pairs))
    kept = np.bincount(where, np.where(keep, weight, 0.0), minlength=len(pairs))
    mine = interactions.filter(pa.array(several[dataset.persons.rows(interactions["person"].to_pylist())]))
    asked = dataset.persons.rows(mine["person"].to_pylist()) * wide
    at = np.searchsorted(pairs, asked + dataset.items.rows(mine["item"].to_pylist()))
    share = kept[at] / np.maximum(whole[at], 1e-300)
    share *= np.exp2((dataset.reference_time - reference) / (half_life_days * DAY))
    scaled = np.round(mine["weight"].to_numpy() * share).astype(np.int64)
    column = mine.schema.get_field_index("weight")
    return mine.set_column(column, "weight", pa.array(scaled)).filter(pa.array(scaled > 0))


def _people(events: pa.Table) -> pa.Table:
    flat = events.select(["person", "platform", "time"])
    each = flat.group_by("person").aggregate(
        [("platform", "distinct"), ("time", "count"), ("time", "min"), ("time", "max")]
    )
    each = each.sort_by("person")
    return pa.table(
        {
            "person": each["person"],
            "platforms": pa.array([sorted(names) for names in each["platform_distinct"].to_pylist()]),
            "events": each["time_count"].cast(pa.int32()),
            "first": each["time_min"],
            "last": each["time_max"],
        }
    )


def _among(column: pa.ChunkedArray, names: frozenset[str]) -> pa.ChunkedArray:
    return pc.is_in(column, value_set=pa.array(sorted(names), pa.string()))
