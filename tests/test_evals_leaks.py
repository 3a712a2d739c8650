from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from evaluated import declared, go, oracle, settings
from worlds import item, person, write_build

from evals.cases import Case
from evals.config import CasesConfig
from evals.cut import write_cut
from evals.leaks import LeakError, check_history, check_prompt, check_world, title_shows
from evals.splits import hold_after
from evals.world import World, hold
from recall.dataset import Dataset
from recall.train import train
from recall.train_config import TrainConfig
from recall.types import Candidate, Event, Item
from recall.workspace import Workspace
from rerank.types import Message

EVENTS = [
    f"p{who} cinema film{(who + step) % 9} {100 * step + who}" for who in range(12) for step in range(5)
]
MOMENT = 300


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("leaks")
    build = write_build(folder, events=EVENTS)
    dataset = Dataset.load(build)
    held, moment = hold(dataset, CasesConfig(moment=MOMENT))
    workspace = Workspace(folder / "cut")
    write_cut(build, dataset, held, workspace, moment=moment, half_life_days=365, cap=5)
    train(workspace, TrainConfig(factors=2, iterations=1, threads=1))
    return World(workspace, dataset, held, moment, reused=False)


def _case(**fields: Any) -> Case:
    base: dict[str, Any] = {
        "person": person("p0"),
        "platform": "cinema",
        "target": item("film4"),
        "as_of": MOMENT,
        "history": (Event("e1", "cinema", item("film1"), "seen", 100),),
        "candidates": (Candidate(item("film4"), 0, 1.0),),
        "plain": (1.0,),
        "popularity": (1.0,),
        "segments": {},
    }
    return Case(**{**base, **fields})


ITEMS = {item(f"film{n}"): Item(item(f"film{n}"), f"Film {n}") for n in range(9)}


def _changed(world: World, table: str, change: Any) -> World:
    """The world with one table of its build changed, beside the original."""
    source = world.workspace.builds.folder / world.artefact.manifest.build
    build = Dataset.load(source)
    copy = Workspace(world.workspace.folder.parent / f"planted-{table}")
    for name in ("builds", "models"):
        (copy.folder / name).mkdir(parents=True, exist_ok=True)
    target = copy.folder / "builds" / build.build
    if not target.exists():
        shutil.copytree(world.workspace.folder, copy.folder, dirs_exist_ok=True)
    rows = pq.read_table(source / f"{table}.parquet")
    pq.write_table(change(rows), target / f"{table}.parquet")
    return replace(world, workspace=copy)


def test_a_clean_world_passes(world: World) -> None:
    check_world(world, [_case()])


def test_nothing_from_after_the_cut_is_in_the_cut_build(world: World) -> None:
    cut = Dataset.load(world.workspace.builds.current())
    assert cut.event_time.max() < MOMENT and len(cut.event_time) == 12 * 3
    assert hold_after(world.source, MOMENT, last=True).events.size == len(world.held.events)


def test_a_leak_planted_in_the_training_is_caught(world: World) -> None:
    def plant(rows: pa.Table) -> pa.Table:
        one = rows.slice(0, 1).to_pylist()[0] | {"person": person("p0"), "item": item("film4")}
        both = pa.concat_tables([rows, pa.Table.from_pylist([one], schema=rows.schema)])
        return both.sort_by([(name, "ascending") for name in ("person", "group", "item")])

    with pytest.raises(LeakError, match="training: the interactions"):
        check_world(_changed(world, "interactions", plant), [_case()])


def test_a_late_event_planted_in_the_training_is_caught(world: World) -> None:
    def plant(rows: pa.Table) -> pa.Table:
        late = rows.slice(len(rows) - 1, 1).to_pylist()[0] | {"time": MOMENT}
        return pa.concat_tables([rows, pa.Table.from_pylist([late], schema=rows.schema)])

    with pytest.raises(LeakError, match="event from after the cut"):
        check_world(_changed(world, "events", plant), [_case()])


def test_a_leak_planted_in_the_links_is_caught(world: World) -> None:
    def plant(rows: pa.Table) -> pa.Table:
        late = rows.slice(0, 1).to_pylist()[0] | {"key": "later", "since": MOMENT}
        return pa.concat_tables([rows, pa.Table.from_pylist([late], schema=rows.schema)])

    with pytest.raises(LeakError, match="'later' is linked"):
        check_world(_changed(world, "links", plant), [_case()])


def test_a_leak_planted_in_the_history_is_caught(world: World) -> None:
    held = Event("e2", "cinema", item("film4"), "seen", 50)
    late = Event("e2", "cinema", item("film2"), "seen", MOMENT + 1)
    with pytest.raises(LeakError, match="holds the held-out item"):
        check_history(_case(history=(held,)))
    with pytest.raises(LeakError, match=f"event of {MOMENT + 1}"):
        check_world(world, [_case(history=(late,))])


def test_leaks_in_a_prompt_are_caught_and_a_bare_title_is_told_apart() -> None:
    def sent(text: str) -> str | None:
        return check_prompt(_case(), ITEMS, [Message("user", text)])

    assert sent('h1: 1970-01-01 on cinema saw: "Film 1"\nA: "Film 4" (1999)\nB: "Film 2"') is None
    assert sent('"Film 4" (1999), Drama') is None  # a candidate without a label
    assert sent('h1: 1970-01-01 on cinema saw: "Film 4"\nA: "Film 2"') == "title"
    with pytest.raises(LeakError, match="held-out item"):
        sent(f"the answer is {item('film4')}")
    with pytest.raises(LeakError, match="1970-01-02, after 1970-01-01"):
        sent('h1: 1970-01-02 on cinema saw: "Film 2"')


def test_a_case_whose_title_occurs_elsewhere_shows_it() -> None:
    twin = Item("twin", "FILM  4")
    assert title_shows(_case(history=(Event("e", "cinema", "twin", "seen", 1),)), {**ITEMS, "twin": twin})
    assert title_shows(_case(wish="something like film 4, please"), ITEMS)
    assert not title_shows(_case(wish="film 44"), ITEMS)


async def test_a_prompt_that_holds_the_answer_stops_the_run(whole: Path, tmp_path: Path) -> None:
    mine = settings(whole, tmp_path)
    _, pool, _ = await go(mine, declared(arms=[]), oracle())
    case = next(case for case in pool.cases if case.slot is not None)
    planted = replace(case, wish=f"I want {case.target}")
    other = type(pool).of(pool.header, [planted], pool.items.values())
    with pytest.raises(LeakError, match="prompt: the id"):
        await go(mine, declared(name="planted"), oracle(), pool=other)
