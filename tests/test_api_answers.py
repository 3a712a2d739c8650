"""Recommendations over HTTP: whom they are for, what may be proposed, pages, and what was served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from api.schemas.recommendations import ServedAnswer
from rerank.llm import LLMConfig
from tests.doors import doors
from tests.openai_server import openai_server

USER = {"platform": "cinema", "user": "u7"}
PATH = "/v1/users/cinema/u7/recommendations"


async def _ask(door: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await door.post("/v1/recommendations", json={"mode": "recall", **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _ids(answer: dict[str, Any]) -> list[str]:
    return [item["item"] for item in answer["items"]]


async def test_both_ways_to_ask_give_the_same(whole: Path, tmp_path: Path) -> None:
    async with doors(whole, tmp_path) as door:
        posted = await _ask(door, user=USER, k=5, filters={"categories_in": ["Comedy", "Horror"]})
        query = {"k": "5", "mode": "recall", "categories_in": ["Comedy", "Horror"]}
        got = (await door.get(PATH, params=query)).json()
        assert _ids(got) == _ids(posted) and len(_ids(got)) == 5
        assert (await door.get(PATH, params={"k": "0"})).json()["errors"][0]["field"] == "query.k"
        assert (await door.get(PATH, params={"kk": "1"})).status_code == 422
        assert (await door.get("/v1/users/cinema/nobody/recommendations")).status_code == 404


async def test_somebody_without_a_history_gets_what_he_wishes_for_and_is_told_so(
    whole: Path, tmp_path: Path
) -> None:
    async with doors(whole, tmp_path) as door:
        answer = await _ask(door, history=[], wish="some HORROR tonight", k=5, mode="explain")
        assert [item["categories"] for item in answer["items"]] == [["Horror"]] * 5
        reasons = {item["reason"]["text"] for item in answer["items"]}
        assert reasons == {"Its description is close to what you asked for."}


async def test_pages_go_on_to_the_end_without_repeats(whole: Path, tmp_path: Path) -> None:
    async with doors(whole, tmp_path) as door:
        everything = _ids(await _ask(door, user=USER, k=100))
        pages, after = [], None
        while True:
            more = {"after": after} if after else {}
            page = await _ask(door, user=USER, k=4, **more)
            if not page["items"]:
                break
            pages += _ids(page)
            after = page["id"]
        assert len(pages) == len(set(pages)) and set(pages) == set(everything)
        assert pages[:4] == everything[:4]
        first = (await door.get(PATH, params={"mode": "recall", "k": 4})).json()
        second = (await door.get(PATH, params={"mode": "recall", "k": 4, "after": first["id"]})).json()
        assert _ids(first) + _ids(second) == pages[:8]


async def test_a_page_of_somebody_else_s_answer_is_refused(whole: Path, tmp_path: Path) -> None:
    async with doors(whole, tmp_path) as door:
        mine = await _ask(door, user=USER, k=2)
        for body in (
            {"user": {"platform": "cinema", "user": "u8"}, "after": mine["id"]},
            {"user": USER, "platform": "shop", "after": mine["id"]},
            {"user": USER, "after": "nothing"},
        ):
            assert (await door.post("/v1/recommendations", json=body)).status_code == 404


async def test_somebody_without_an_account_is_answered_from_what_he_did(whole: Path, tmp_path: Path) -> None:
    async with doors(whole, tmp_path) as door:
        drama, comedy = [
            (await door.get("/v1/items", params={"title": title})).json()["items"][0]["item"]
            for title in ("Film A", "Film B")
        ]
        by_listing = await _ask(
            door, history=[{"platform": "cinema", "listing": "c0", "type": "rating", "value": 5}], k=24
        )
        by_item = await _ask(door, history=[{"item": drama}], k=24)
        assert by_listing["person"] is None and drama not in _ids(by_listing)
        assert _ids(by_item)[:5] == _ids(by_listing)[:5]
        assert _ids(by_item)[:5] != _ids(await _ask(door, history=[{"item": comedy}], k=24))[:5]
        disliked = await _ask(door, history=[{"item": drama, "liked": False}], k=24)
        assert drama not in _ids(disliked) and _ids(disliked)[:5] != _ids(by_item)[:5]
        assert len(_ids(await _ask(door, history=[], k=3))) == 3
        page = await _ask(door, history=[{"item": drama}], k=3, after=by_item["id"])
        assert page["items"] == []


@pytest.mark.parametrize(
    ("entry", "status"),
    [
        ({"item": "i0"}, 404),
        ({"platform": "opera", "listing": "c0"}, 404),
        ({"platform": "cinema", "listing": "c99", "type": "rating", "value": 3}, 404),
        ({"platform": "cinema", "listing": "c0", "type": "rating", "value": 9}, 422),
        ({"platform": "cinema", "listing": "c0"}, 422),
        ({"platform": "cinema"}, 422),
        ({"item": "i0", "value": 1}, 422),
        ({"item": "i0", "listing": "c0", "platform": "cinema"}, 422),
    ],
    ids=str,
)
async def test_a_history_that_names_what_is_not_there_says_so(
    whole: Path, tmp_path: Path, entry: dict[str, Any], status: int
) -> None:
    async with doors(whole, tmp_path) as door:
        answer = await door.post("/v1/recommendations", json={"history": [entry]})
        assert (answer.status_code, answer.json()["status"]) == (status, status)


@pytest.mark.parametrize("prompt", ["/etc/passwd", "../x.md", "x.md", "listwise.v1.en.md", "a b"])
async def test_a_prompt_is_a_name_and_never_a_file(whole: Path, tmp_path: Path, prompt: str) -> None:
    async with doors(whole, tmp_path) as door:
        answer = await door.post("/v1/recommendations", json={"user": USER, "prompt": prompt})
        assert answer.json()["errors"][0]["field"] == "body.prompt"


async def test_a_prompt_for_another_method_is_the_caller_s_to_mend(whole: Path, tmp_path: Path) -> None:
    async with doors(whole, tmp_path) as door:
        answer = await door.post("/v1/recommendations", json={"user": USER, "prompt": "pointwise"})
        assert answer.status_code == 422 and "pointwise" in answer.json()["detail"]
        assert (await door.get(PATH, params={"prompt": "no-such"})).status_code == 404


async def test_what_was_served_can_be_looked_up_with_reasons_and_evidence(
    whole: Path, tmp_path: Path
) -> None:
    with openai_server() as server:
        model = LLMConfig(engine="openai", base_url=server.url)
        async with doors(whole, tmp_path, llm=model) as door:
            answer = await _ask(door, user=USER, platform="cinema", k=3, mode="explain", wish="quiet")
            found = await door.get(f"/v1/recommendations/{answer['id']}")
            served = ServedAnswer.model_validate_json(found.content)
            assert (await door.get("/v1/recommendations/unknown")).status_code == 404
    assert [place.item for place in served.items] == _ids(answer)
    assert [place.title for place in served.items] == [item["title"] for item in answer["items"]]
    told = [place.reason.model_dump() if place.reason else None for place in served.items]
    assert told == [item["reason"] for item in answer["items"]] and all(told)
    assert (served.person, served.platform, served.request["wish"]) == (answer["person"], "cinema", "quiet")
    assert served.provenance["model"] == answer["provenance"]["model"]
