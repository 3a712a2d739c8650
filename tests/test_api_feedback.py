"""Feedback on answers: kept once, durable, and counting in the next one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from tests.doors import doors

T = 1_730_000_000
USER = {"platform": "cinema", "user": "u7"}


async def _ask(door: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await door.post("/v1/recommendations", json={"user": USER, "mode": "recall", "k": 24, **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _say(door: httpx.AsyncClient, *rows: dict[str, Any]) -> dict[str, Any]:
    answer = await door.post("/v1/feedback", json={"feedback": list(rows)})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_feedback_is_kept_once_and_counts_in_the_next_answer(whole: Path, tmp_path: Path) -> None:
    async with doors(whole, tmp_path) as door:
        first = await _ask(door)
        ids = [item["item"] for item in first["items"]]
        rows = [
            {"id": "f1", "item": ids[0], "kind": "accepted", "why": "the ship", "time": T},
            {"id": "f2", "item": ids[1], "kind": "rejected", "time": T},
            {"id": "f3", "item": ids[2], "kind": "rated", "value": 1, "time": T},
            {"id": "f4", "item": ids[3], "kind": "seen"},
            {"id": "f5", "item": ids[4], "kind": "clicked"},
        ]
        rows = [{"recommendation": first["id"], **row} for row in rows]
        said = await _say(door, *rows)
        assert [one["verdict"] for one in said["verdicts"]] == ["stored"] * 5
        assert [one["counts"] for one in said["verdicts"]] == [True, True, True, False, True]
        again = await _say(door, *rows)
        assert (again["stored"], again["known"]) == (0, 5)
        history = (await door.get("/v1/users/cinema/u7/history")).json()["events"]
        mine = {one["item"]: (one["type"], one["polarity"]) for one in history if "feedback" in one["type"]}
        assert mine == {
            ids[0]: ("accepted-feedback", 1),
            ids[1]: ("rejected-feedback", -1),
            ids[2]: ("rated-feedback", -1),
            ids[4]: ("clicked-feedback", 1),
        }
        after = [item["item"] for item in (await _ask(door))["items"]]
        assert set(after) == set(ids) - set(mine)
        served = (await door.get(f"/v1/recommendations/{first['id']}")).json()
        kept = {one["id"]: (one["kind"], one["why"], one["value"]) for one in served["feedback"]}
        assert kept["f1"] == ("accepted", "the ship", None) and kept["f3"] == ("rated", None, 1)
        assert len(kept) == 5


async def test_sent_again_without_a_time_it_still_counts_once(whole: Path, tmp_path: Path) -> None:
    async with doors(whole, tmp_path) as door:
        first = await _ask(door, k=1)
        row = {"id": "f", "recommendation": first["id"], "item": first["items"][0]["item"], "kind": "clicked"}
        before = len((await door.get("/v1/users/cinema/u7/history")).json()["events"])
        for time in (None, None, T):
            await _say(door, row | ({"time": time} if time else {}))
        assert len((await door.get("/v1/users/cinema/u7/history")).json()["events"]) == before + 1


async def test_each_row_has_its_verdict(whole: Path, tmp_path: Path) -> None:
    async with doors(whole, tmp_path) as door:
        first, other = await _ask(door, k=2), await _ask(door, k=2)
        item = first["items"][0]["item"]
        rows = [
            {"id": "a", "recommendation": "nothing", "item": item, "kind": "seen"},
            {"id": "b", "recommendation": first["id"], "item": "i0", "kind": "clicked"},
            {"id": "c", "recommendation": first["id"], "item": item, "kind": "rated"},
            {"id": "d", "recommendation": first["id"], "item": item, "kind": "seen", "value": 3},
            {"id": "e", "recommendation": first["id"], "item": item, "kind": "rated", "value": 77},
            {"id": "f", "recommendation": first["id"], "item": item, "kind": "clicked"},
        ]
        said = await _say(door, *rows)
        assert [(one["verdict"], one["code"]) for one in said["verdicts"]] == [
            ("rejected", "not_found"),
            ("rejected", "not_found"),
            ("rejected", "bad_value"),
            ("rejected", "bad_value"),
            ("rejected", "value_off_scale"),
            ("stored", None),
        ]
        stolen = {"id": "f", "recommendation": other["id"], "item": item, "kind": "clicked"}
        assert (await _say(door, stolen))["verdicts"][0]["code"] == "id_in_use"


async def test_feedback_of_nobody_in_particular_is_kept_and_stands_in_no_history(
    whole: Path, tmp_path: Path
) -> None:
    async with doors(whole, tmp_path) as door:
        body = {"history": [], "k": 1, "mode": "recall"}
        first = (await door.post("/v1/recommendations", json=body)).json()
        row = {
            "id": "x",
            "recommendation": first["id"],
            "item": first["items"][0]["item"],
            "kind": "accepted",
        }
        said = await _say(door, row)
        assert said["verdicts"][0] == {
            "verdict": "stored",
            "id": "x",
            "counts": False,
            "code": None,
            "message": None,
        }
