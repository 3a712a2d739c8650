from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import item, person, write_build

from recall.dataset import Dataset
from recall.errors import DataError
from recall.idmap import IdMap

EVENTS = [
    "ann cinema matrix 10",
    "ann stream alien 30 dislike",
    "ann stream matrix 20 like 0.5",
    "bob shop alien 5 like 2",
]


def test_a_persons_events_are_oldest_first(tmp_path: Path) -> None:
    data = Dataset.load(write_build(tmp_path, events=EVENTS))
    ann = data.persons.row(person("ann"))
    mine = slice(data.event_row[ann], data.event_row[ann + 1])
    assert data.event_time[mine].tolist() == [10, 20, 30]
    names = data.items.names(data.event_item[mine])
    assert names == [item("matrix"), item("matrix"), item("alien")]
    assert [data.platforms[code] for code in data.event_platform[mine]] == ["cinema", "stream", "stream"]
    assert data.event_weight[mine].tolist() == [1.0, 0.5, 0.0]
    assert data.event_polarity[mine].tolist() == [1, 1, -1]
    assert (data.event_person[mine] == ann).all()


def test_the_matrix_holds_likes_only_with_repeated_ones_summed(tmp_path: Path) -> None:
    data = Dataset.load(write_build(tmp_path, events=EVENTS))
    dense = {
        (
            data.persons.names(np.array([data.row_person[row]]))[0],
            data.items.names(np.array([column]))[0],
        ): value
        for row, column, value in zip(*data.matrix.nonzero(), data.matrix.data, strict=True)
    }
    assert dense == {(person("ann"), item("matrix")): 1.5, (person("bob"), item("alien")): 2.0}
    assert data.matrix.dtype == np.float32


def test_a_person_with_two_consent_groups_has_two_rows(tmp_path: Path) -> None:
    build = write_build(tmp_path, events=EVENTS, groups={"ann": [["cinema"], ["stream"]]})
    data = Dataset.load(build)
    ann = data.persons.row(person("ann"))
    rows = np.flatnonzero(data.row_person == ann)
    assert sorted(data.matrix[rows].sum(axis=1).ravel().tolist()[0]) == [0.5, 1.0]


def test_items_without_events_are_in_the_catalogue_and_listed(tmp_path: Path) -> None:
    data = Dataset.load(write_build(tmp_path, events=EVENTS, items=["heat cinema,shop"]))
    heat = data.items.row(item("heat"))
    assert [name for code, name in enumerate(data.platforms) if data.listed[code, heat]] == ["cinema", "shop"]
    assert data.matrix[:, heat].nnz == 0


def test_an_empty_build_gives_empty_arrays(tmp_path: Path) -> None:
    data = Dataset.load(write_build(tmp_path))
    assert data.matrix.shape == (0, 0)
    assert data.event_row.tolist() == [0]
    assert len(data.items) == len(data.persons) == 0


@pytest.mark.parametrize("table", ["people", "items", "listings", "events", "interactions"])
def test_a_truncated_table_is_refused_by_name(tmp_path: Path, table: str) -> None:
    build = write_build(tmp_path, events=EVENTS)
    file = build / f"{table}.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(DataError, match=table):
        Dataset.load(build)


def test_events_out_of_order_are_refused(tmp_path: Path) -> None:
    build = write_build(tmp_path, events=EVENTS)
    table = pq.read_table(build / "events.parquet")
    pq.write_table(table.take([3, 2, 1, 0]), build / "events.parquet")
    with pytest.raises(DataError, match="not sorted"):
        Dataset.load(build)


def test_an_event_of_an_unknown_item_is_refused(tmp_path: Path) -> None:
    build = write_build(tmp_path, events=EVENTS)
    pq.write_table(pq.read_table(build / "items.parquet").slice(1), build / "items.parquet")
    with pytest.raises(DataError, match="does not know"):
        Dataset.load(build)


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1), max_size=30
    )
)
def test_every_id_finds_its_row_and_no_other_text_does(ids: list[str]) -> None:
    known = IdMap.of(ids)
    rows = known.rows(ids)
    assert known.names(rows) == ids
    longer = [f"{id}{id}x" * 9 for id in ids]
    assert known.rows([id for id in longer if id not in ids]).tolist() == [-1] * sum(
        i not in ids for i in longer
    )
    assert known.row("") == known.row("\ud800") == -1
