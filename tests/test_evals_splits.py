from __future__ import annotations

from pathlib import Path

import numpy as np
from worlds import item, write_build

from evals.splits import after, last_liked
from recall.dataset import Dataset

WORLD = [
    "ann x one 1",
    "ann y two 2",
    "ann x three 3",
    "ann x bad 4 dislike",
    "bob x one 5",
    "cat x one 1",
    "cat x two 9",
]


def test_the_last_like_is_held_out_and_history_ends_before_it(tmp_path: Path) -> None:
    split = last_liked(Dataset.load(write_build(tmp_path, events=WORLD)))
    names = split.train.items.names(split.targets)
    assert sorted(names) == sorted([item("three"), item("two")])  # bob has one like only
    for case, who in enumerate(split.persons):
        span = slice(split.train.event_row[who], split.train.event_row[who + 1])
        assert split.targets[case] not in split.train.event_item[span]
        assert item("bad") not in split.train.items.names(split.train.event_item[span])
        rows = np.flatnonzero(split.train.row_person == who)
        assert not split.train.matrix[rows][:, split.targets[case]].nnz


def test_ties_in_time_break_by_the_seed(tmp_path: Path) -> None:
    dataset = Dataset.load(write_build(tmp_path, events=[f"ann x m{i} 7" for i in range(30)]))
    drawn = {int(last_liked(dataset, seed=seed).targets[0]) for seed in range(20)}
    assert len(drawn) > 5
    assert int(last_liked(dataset, seed=3).targets[0]) == int(last_liked(dataset, seed=3).targets[0])


def test_after_a_moment_nothing_later_is_learnt(tmp_path: Path) -> None:
    split = after(Dataset.load(write_build(tmp_path, events=WORLD)), 3)
    assert split.train.event_time.max() < 3
    assert sorted(split.train.items.names(split.targets)) == sorted([item("three"), item("two")])
