"""Events, history, profile and catalogue over HTTP."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from recall.ids import event_id
from tests.doors import doors

T = 1_720_000_000


def event(user: str = "u7", listing: str = "c1", **more: Any) -> dict[str, Any]:
    row = {"platform": "cinema", "user": user, "listing": listing, "type": "rating", "value": 5, "time": T}
    return row | more


async def _post(door: httpx.AsyncClient, *events: dict[str, Any]) -> dict[str, Any]:
    answer = await door.post("/v1/events", json={"events": list(events)})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _recall(door: httpx.AsyncClient, user: str) -> list[str]:
    body = {"user": {"platform": "cinema", "user": user}, "k": 24, "mode": "recall"}
    answer = await door.post("/v1/recommendations", json=body)
    assert answer.status_code == 200, answer.text
    return [item["item"] for item in answer.json()["items"]]


async def test_each_row_has_its_verdict_and_sending_again_changes_nothing(
    whole: Path, tmp_path: Path
) -> None:
    rows = [
        event(time=T),
        event(time=T),
        event(value=9),
        event(platform="opera"),
        event(type="purchase"),
        event(value=None),
        event(user="\u0007"),
        event(time=int(time.time()) + 90_000),
        event(time=T * 1000),
        {"platform": "shop", "user": "k7", "listing": "s3", "type": "purchase", "time": T},
    ]
    async with doors(whole, tmp_path) as door:
        first = await _post(door, *rows)
        assert [one["verdict"] for one in first["verdicts"]] == ["stored", "known"] + ["rejected"] * 7 + [
            "stored"
        ]
        assert [one["code"] for one in first["verdicts"]] == [
            None,
            None,
            "value_off_scale",
            "unknown_platform",
            "unknown_type",
            "missing_value",
            "control_characters",
            "time_in_future",
            "time_in_milliseconds",
            None,
        ]
        assert all(one["message"] for one in first["verdicts"] if one["code"])
        assert (first["stored"], first["known"], first["rejected"]) == (2, 1, 7)
        assert first["verdicts"][0]["event"] == event_id("cinema", "u7", "c1", "rating", 5.0, T)
        again = await _post(door, *rows)
        assert (again["stored"], again["known"], again["rejected"]) == (0, 3, 7)


async def test_an_event_counts_in_the_next_answer_and_in_history_and_profile(
    whole: Path, tmp_path: Path
) -> None:
    async with doors(whole, tmp_path) as door:
        before = await _recall(door, "u7")
        path = "/v1/users/cinema/u7"
        known = (await door.get(f"{path}/history")).json()["events"]
        liked = (await door.get(f"{path}/profile")).json()
        top = await door.get(f"/v1/items/{before[0]}")
        listing = next(one["listing"] for one in top.json()["listings"] if one["platform"] == "cinema")
        await _post(door, event(listing=listing))
        after = await _recall(door, "u7")
        assert before[0] not in after and set(after) == set(before[1:])
        history = (await door.get(f"{path}/history")).json()
        assert [one["event"] for one in history["events"][1:]] == [one["event"] for one in known]
        assert (history["events"][0]["item"], history["events"][0]["title"]) == (
            before[0],
            top.json()["title"],
        )
        profile = (await door.get(f"{path}/profile")).json()
        assert profile["events"] == liked["events"] + 1
        (cinema,) = profile["platforms"]
        assert (cinema["platform"], cinema["last"], cinema["serves"]) == ("cinema", T, ["cinema", "shop"])
        assert sum(one["liked"] for one in profile["categories"]) == cinema["liked"] >= 3


async def test_somebody_new_is_known_from_the_first_event_on(whole: Path, tmp_path: Path) -> None:
    async with doors(whole, tmp_path) as door:
        assert (await door.get("/v1/users/cinema/fresh/history")).status_code == 404
        await _post(door, event(user="fresh", listing="c3"))
        assert len(await _recall(door, "fresh")) == 23
        assert len((await door.get("/v1/users/cinema/fresh/history")).json()["events"]) == 1


async def test_a_user_id_may_hold_a_slash(whole: Path, tmp_path: Path) -> None:
    async with doors(whole, tmp_path) as door:
        await _post(door, event(user="a/b c"))
        assert len((await door.get("/v1/users/cinema/a%2Fb%20c/history")).json()["events"]) == 1


async def test_a_long_history_comes_in_pages_without_gaps_or_repeats(whole: Path, tmp_path: Path) -> None:
    async with doors(whole, tmp_path) as door:
        await _post(door, *[event(user="fresh", listing=f"c{n % 24}", time=T + n // 3) for n in range(60)])
        path, seen, after = "/v1/users/cinema/fresh/history", [], None
        while True:
            page = (await door.get(path, params={"limit": 7, **({"after": after} if after else {})})).json()
            seen += [(one["time"], one["event"]) for one in page["events"]]
            if (after := page["next"]) is None:
                break
        assert len(seen) == len(set(seen)) == 60
        assert [at for at, _ in seen] == sorted((at for at, _ in seen), reverse=True)
        assert (await door.get(path, params={"after": "e0"})).status_code == 404


async def test_a_row_of_another_form_refuses_the_request_and_stores_nothing(
    whole: Path, tmp_path: Path
) -> None:
    async with doors(whole, tmp_path) as door:
        for wrong in (event(time="5"), event(extra=1), event(value=True), {"platform": "cinema"}):
            answer = await door.post("/v1/events", json={"events": [event(user="fresh"), wrong]})
            assert answer.status_code == 422
            assert all(each["field"].startswith("body.events.1") for each in answer.json()["errors"])
        assert (await door.get("/v1/users/cinema/fresh/history")).status_code == 404
        assert (await door.post("/v1/events", json={"events": []})).status_code == 422


async def test_items_are_looked_up_searched_and_told_with_what_goes_with_them(
    whole: Path, tmp_path: Path
) -> None:
    async with doors(whole, tmp_path) as door:
        found = (await door.get("/v1/items", params={"title": "film c"})).json()["items"]
        assert [one["title"] for one in found] == ["Film C"]
        item = found[0]
        assert {one["platform"] for one in item["listings"]} == {"cinema", "shop"}
        assert (await door.get(f"/v1/items/{item['item']}")).json() == item
        similar = (await door.get(f"/v1/items/{item['item']}/similar", params={"k": 5})).json()["similar"]
        scores = [one["score"] for one in similar]
        assert similar and scores == sorted(scores, reverse=True) and scores[0] <= 1.0001
        assert item["item"] not in {one["item"]["item"] for one in similar}
        for missing in ("/v1/items/i0", "/v1/items/i0/similar", "/v1/items?title=x&platform=opera"):
            assert (await door.get(missing)).status_code == 404
        for wrong in ("/v1/items", "/v1/items?title=a&limit=0", "/v1/items?title=a&titel=b"):
            assert (await door.get(wrong)).status_code == 422


async def test_a_listing_that_is_put_shows_at_once_and_replaces_the_one_before(
    whole: Path, tmp_path: Path
) -> None:
    new = {"platform": "shop", "listing": "s900", "title": "Quite Another", "price": 12.5}
    known = {"platform": "shop", "listing": "s0", "title": "Film A, restored", "price": 3.0}
    async with doors(whole, tmp_path) as door:
        wrong = {"platform": "opera", "listing": "x"}
        late = {"platform": "shop", "listing": "x", "available_from": 5, "available_to": 5}
        put = (await door.put("/v1/items", json={"items": [new, wrong, known, late]})).json()
        assert [one["verdict"] for one in put["verdicts"]] == ["stored", "rejected", "stored", "rejected"]
        found = (await door.get("/v1/items", params={"title": "another quite"})).json()["items"][0]
        assert (found["item"], found["listings"][0]["price"]) == (put["verdicts"][0]["item"], 12.5)
        item = (await door.get(f"/v1/items/{put['verdicts'][2]['item']}")).json()
        assert {one["platform"]: one["title"] for one in item["listings"]} == {
            "cinema": "Film A",
            "shop": "Film A, restored",
        }
        await door.put("/v1/items", json={"items": [{**new, "title": "Renamed"}]})
        assert (await door.get(f"/v1/items/{found['item']}")).json()["title"] == "Renamed"
        assert (await door.get("/v1/items", params={"title": "another quite"})).json()["items"] == []


@pytest.mark.parametrize(
    "field", [{"url": "javascript:alert(1)"}, {"price": -1}, {"year": 10**6}, {"title": ""}, {"more": 1}]
)
async def test_a_listing_of_a_wrong_form_is_refused(
    whole: Path, tmp_path: Path, field: dict[str, Any]
) -> None:
    async with doors(whole, tmp_path) as door:
        answer = await door.put("/v1/items", json={"items": [{"platform": "shop", "listing": "x", **field}]})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"].startswith(f"body.items.0.{next(iter(field))}")
