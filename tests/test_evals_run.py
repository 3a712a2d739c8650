from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from evaluated import answering, declared, go, oracle, settings

from evals.cases import Pool
from recall.errors import ConfigError, DataError, ModelError
from rerank.llm.scripted import Asked, ScriptedModel
from rerank.types import Cause, Reply, Usage

TIMES = ("milliseconds", "model_seconds")


def _timeless(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps({k: v for k, v in row.items() if k not in TIMES}) for row in rows)


async def test_an_oracle_gets_all_and_every_arm_ranks_the_same_lists(whole: Path, tmp_path: Path) -> None:
    ended, pool, rows = await go(settings(whole, tmp_path), declared(), oracle())
    assert ended.stopped is None and ended.failed == 0
    covered = {case.person for case in pool.cases if case.slot is not None}
    assert covered and {row["person"] for row in rows if row["arm"] == "model"} == covered
    for row in rows:
        n = len(next(case for case in pool.cases if case.person == row["person"]).candidates)
        assert sorted(row["order"]) == list(range(n))
        if row["arm"] in ("model", "oracle") and row["person"] in covered:
            assert row["place"] == 0 and row["status"] == "ok"


async def test_the_header_says_what_was_run_before_anything_was_found(whole: Path, tmp_path: Path) -> None:
    ended, pool, _ = await go(settings(whole, tmp_path), declared(), oracle())
    head = json.loads((ended.folder / "results.jsonl").read_text().splitlines()[0])
    assert head["pool"] == pool.hash and head["models"] == {"default": "oracle-0"}
    assert head["prompts"]["model"]["id"] == "listwise.v1.en" and len(head["prompts"]["model"]["hash"]) == 16
    assert {"seed", "versions", "commit", "data", "config"} <= head.keys()


async def test_resuming_repeats_no_recorded_call_and_gives_the_same_rows(whole: Path, tmp_path: Path) -> None:
    mine = settings(whole, tmp_path)
    first, _, rows = await go(mine, declared(), oracle())
    results = first.folder / "results.jsonl"
    lines = results.read_text().splitlines(keepends=True)
    results.write_text("".join(lines[:-3]) + lines[-3][:20])  # killed in the middle of a line
    model = oracle()
    again, _, after = await go(mine, declared(), model)
    assert _timeless(after) == _timeless(rows)
    assert model.asked == [] and again.asked == 0


async def test_a_failed_call_is_a_row_of_its_own(whole: Path, tmp_path: Path) -> None:
    def fail(asked: Asked) -> str:
        raise ModelError("no", Cause.SERVER_ERROR)

    ended, _, rows = await go(settings(whole, tmp_path), declared(), ScriptedModel(fail))
    mine = [row for row in rows if row["arm"] == "model"]
    assert mine and all(row["status"] == "failed" and row["cause"] == "server_error" for row in mine)
    assert ended.failed == len(mine)


async def test_a_budget_is_kept(whole: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('[models."dear"]\nprompt = 0\ncompletion = 1_000_000\n')

    def answer(asked: Asked) -> Reply:
        return Reply('{"order": ["A"]}', "dear", Usage(10, 1))

    config = declared(prices=str(prices), concurrency=1)
    ended, _, rows = await go(settings(whole, tmp_path / "w"), config, ScriptedModel(answer), budget=3.0)
    assert ended.cost == 3.0 and ended.stopped is not None and "budget" in ended.stopped
    assert sum(row["arm"] == "model" for row in rows) == 3


async def test_another_configuration_under_the_same_name_is_refused(whole: Path, tmp_path: Path) -> None:
    mine = settings(whole, tmp_path)
    await go(mine, declared(arms=[]), oracle())
    with pytest.raises(ConfigError, match="another configuration"):
        await go(mine, declared(arms=[], seed=1), oracle())


async def test_a_changed_pool_is_refused(whole: Path, tmp_path: Path) -> None:
    ended, _, _ = await go(settings(whole, tmp_path), declared(arms=[]), oracle())
    path = ended.folder / "pool.jsonl"
    path.write_text(path.read_text().replace('"rank": 0', '"rank": 1', 1))
    with pytest.raises(DataError, match="hash differs"):
        Pool.load(path)


async def test_a_shuffled_arm_shows_every_repeat_in_another_order(whole: Path, tmp_path: Path) -> None:
    arm = {"name": "model", "shuffle": True, "repeats": 3}
    keeping = ScriptedModel(answering(lambda lines, target: list(lines)))
    _, _, rows = await go(settings(whole, tmp_path), declared(arms=[arm]), keeping)
    mine = [row for row in rows if row["arm"] == "model"]
    assert {row["repeat"] for row in mine} == {0, 1, 2}
    assert all(row["order"] == row["shown"] for row in mine)
    person = mine[0]["person"]
    assert len({tuple(row["shown"]) for row in mine if row["person"] == person}) > 1


async def test_renamed_titles_hide_the_real_ones(whole: Path, tmp_path: Path) -> None:
    model = oracle()
    arm = {"name": "model", "rename": True}
    _, _, rows = await go(settings(whole, tmp_path), declared(arms=[arm]), model)
    assert model.asked and all("Film " not in one.messages[-1].content for one in model.asked)
    assert all(row["place"] == 0 for row in rows if row["arm"] == "model")


async def test_a_grid_is_spelt_out_and_reasons_are_kept(whole: Path, tmp_path: Path) -> None:
    arms = [
        {"name": "model", "grid": {"weight": [0.0, 1.0]}},
        {"name": "told", "reasons": True, "shown": 2},
    ]
    _, _, rows = await go(settings(whole, tmp_path), declared(arms=arms), oracle())
    assert {row["arm"] for row in rows} >= {"model+weight-0.0", "model+weight-1.0", "told"}
    kept = next(row for row in rows if row["arm"] == "model+weight-0.0")
    assert kept["order"] == list(range(len(kept["order"])))
    told = next(row for row in rows if row["arm"] == "told")
    assert len(told["reasons"]) == 2 and {one["author"] for one in told["reasons"]} == {"template"}


async def test_recall_order_may_ask_for_reasons_alone(whole: Path, tmp_path: Path) -> None:
    arms = [
        {"name": "kept", "method": "keep-order"},
        {"name": "told", "method": "keep-order", "reasons": True, "shown": 2},
    ]
    model = oracle()
    _, _, rows = await go(settings(whole, tmp_path), declared(arms=arms), model)
    mine = [row for row in rows if row["arm"] in ("kept", "told")]
    assert mine and all(row["status"] == "ok" for row in mine)
    assert all(row["order"] == list(range(len(row["order"]))) for row in mine)
    assert not any(row["calls"] for row in mine if row["arm"] == "kept")
    assert all(row["calls"] for row in mine if row["arm"] == "told")
    assert model.asked and all("order" not in (one.schema or {}).get("properties", {}) for one in model.asked)


KILLED = """
import asyncio, sys
sys.path[:0] = [{tests!r}, {root!r}]
from pathlib import Path
from api.settings import load_settings
from evaluated import declared, go, oracle
model = oracle()
model._delay = 0.05
if __name__ == "__main__":
    arms = [{{"name": "model", "repeats": 6}}]
    asyncio.run(go(load_settings(Path({config!r})), declared(arms=arms), model))
"""


@pytest.mark.long
async def test_a_run_killed_in_mid_call_goes_on_where_it_was(whole: Path, tmp_path: Path) -> None:
    mine = settings(whole, tmp_path / "killed")
    script = tmp_path / "killed.py"
    root = Path(__file__).parents[1]
    config = str(tmp_path / "killed" / whole.name)
    script.write_text(KILLED.format(tests=str(root / "tests"), root=str(root), config=config))
    calls = mine.workspace / "evals" / "runs" / "test" / "calls.jsonl"
    process = subprocess.Popen([sys.executable, str(script)], start_new_session=True)  # noqa: ASYNC220
    try:
        until = time.monotonic() + 120
        while not (calls.exists() and calls.read_bytes().count(b"\n") >= 5):
            assert process.poll() is None and time.monotonic() < until
            await asyncio.sleep(0.01)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    recorded = calls.read_bytes().count(b"\n")
    model, arms = oracle(), [{"name": "model", "repeats": 6}]
    _, _, rows = await go(mine, declared(arms=arms), model)
    mine_rows = [row for row in rows if row["arm"] == "model"]
    assert 0 < len(model.asked) <= len(mine_rows) - recorded + 1
    assert len({(row["person"], row["repeat"]) for row in mine_rows}) == len(mine_rows)
    _, _, whole_rows = await go(settings(whole, tmp_path / "whole"), declared(arms=arms), oracle())
    assert _timeless(rows) == _timeless(whole_rows)
