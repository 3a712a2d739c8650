"""Batches: taken in durably, worked off, taken up again where a process left them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import update

from api.batches import AT_ONCE, Batches
from api.schemas.batches import BatchBody
from api.tables import BATCHES
from recall.store import Store
from tests.doors import doors


def _users(*names: str) -> list[dict[str, str]]:
    return [{"platform": "cinema", "user": name} for name in names]


async def _done(door: httpx.AsyncClient, id: str) -> dict[str, Any]:
    for _ in range(600):
        found: dict[str, Any] = (await door.get(f"/v1/batches/{id}")).json()
        if found["state"] == "done":
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def test_a_batch_answers_everybody_and_says_who_is_unknown(whole: Path, tmp_path: Path) -> None:
    names = [f"u{n}" for n in range(12)]
    async with doors(whole, tmp_path) as door:
        body = {"users": _users(*names, "nobody"), "k": 2, "mode": "recall", "platform": "shop"}
        taken = await door.post("/v1/batches", json=body)
        assert taken.status_code == 202 and taken.json()["total"] == 13
        id = taken.json()["id"]
        done = await _done(door, id)
        assert (done["done"], done["failed"]) == (13, 1) and done["finished"] >= done["created"]
        first = (await door.get(f"/v1/batches/{id}/rows", params={"limit": 10})).json()
        rest = (await door.get(f"/v1/batches/{id}/rows", params={"after": first["next"]})).json()
        rows = first["rows"] + rest["rows"]
        assert [row["row"] for row in rows] == list(range(13)) and rest["next"] is None
        assert "nobody" in rows[12]["problem"] and rows[12]["recommendation"] is None
        served = (await door.get(f"/v1/recommendations/{rows[3]['recommendation']}")).json()
        single = {"user": _users("u3")[0], "k": 2, "mode": "recall", "platform": "shop"}
        alone = (await door.post("/v1/recommendations", json=single)).json()
        assert [place["item"] for place in served["items"]] == [item["item"] for item in alone["items"]]
        assert (await door.delete(f"/v1/batches/{id}")).status_code == 204
        assert (await door.get(f"/v1/batches/{id}")).status_code == 404


async def test_an_erased_person_s_row_is_gone(whole: Path, tmp_path: Path) -> None:
    async with doors(whole, tmp_path) as door:
        body = {"users": _users("u1", "u2"), "k": 1, "mode": "recall"}
        id = (await door.post("/v1/batches", json=body)).json()["id"]
        await _done(door, id)
        await door.delete("/v1/users/cinema/u1")
        rows = (await door.get(f"/v1/batches/{id}/rows")).json()["rows"]
        assert [row["user"] for row in rows] == ["u2"]


async def test_what_a_killed_process_left_is_gone_on_with(whole: Path, tmp_path: Path) -> None:
    async with doors(whole, tmp_path) as door:
        store = door.service.store
        left = BatchBody.model_validate({"users": _users("u1", "u2", "u3"), "k": 1, "mode": "recall"})
        id = await Batches(store).add(left)
        assert (await _done(door, id))["failed"] == 0

        held = await Batches(store).add(left)
        await _lease(store, held, 2**31)  # somebody else is at it
        await asyncio.sleep(0.2)
        state = (await door.get(f"/v1/batches/{held}")).json()
        if state["done"] == 0:
            await _lease(store, held, 0)  # until its lease ran out
        assert (await _done(door, held))["done"] == 3


async def _lease(store: Store, id: str, until: int) -> None:
    async with store.write() as connection:
        mine = BATCHES.c.id == id
        await connection.execute(update(BATCHES).where(mine).values(worker="another", lease=until))


async def test_a_batch_of_nothing_or_too_much_is_refused(whole: Path, tmp_path: Path) -> None:
    async with doors(whole, tmp_path) as door:
        for users in ([], _users(*(f"u{n}" for n in range(10_001)))):
            answer = await door.post("/v1/batches", json={"users": users})
            assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == "body.users"
        body = {"users": _users("u1"), "platform": "opera"}
        assert (await door.post("/v1/batches", json=body)).status_code == 404
    assert AT_ONCE > 1
