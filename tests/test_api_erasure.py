"""A canary person, erased: found nowhere that docs/privacy.md names, nor over HTTP, nor after a re-import."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest

from recall.library import BuildLibrary
from recall.store import Store, StoreConfig
from recall.workspace import Workspace
from rerank.knowledge.store import save_profile
from rerank.knowledge.types import Profile, Statement
from tests.doors import doors
from tests.whole import whyrec, write_platforms

CINEMA, SHOP, WHY, SAID = "canary-c4f1", "canary-s9e2", "canary-words", "canary-likes ghosts"
T = 1_720_000_000


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two platforms with a canary on both, linked, ingested and trained."""
    folder = tmp_path_factory.mktemp("planted")
    config = write_platforms(folder)
    with (folder / "ratings.csv").open("a") as file:
        file.writelines(f"{CINEMA},c{n},5,{1_700_000_000 + n}\n" for n in range(4))
        file.write(f"{CINEMA},c5,99,1700000009\n")  # rejected: off the scale
    with (folder / "orders.csv").open("a") as file:
        file.writelines(f"{SHOP},s{n},2024-01-0{n}T00:00:00Z\n" for n in range(4, 7))
    (folder / "people.csv").write_text(f"member,platform,user\nM1,cinema,{CINEMA}\nM1,shop,{SHOP}\n")
    table = '{ person = "member", platform = "platform", user = "user" }'
    config.write_text(config.read_text() + f'\n[[links.tables]]\npath = "people.csv"\ncolumns = {table}\n')
    _run(config, "ingest", "train")
    return config


def _run(config: Path, *commands: str) -> None:
    for command in commands:
        done = whyrec(command, "--config", config)
        assert done.exit_code == 0, (done.output, done.stderr)


async def _use(door: httpx.AsyncClient) -> str:
    """Everything that leaves traces; returns the person's id."""
    body = {"user": {"platform": "cinema", "user": CINEMA}, "k": 3}
    answer = (await door.post("/v1/recommendations", json=body)).json()
    events = [
        {"platform": "cinema", "user": CINEMA, "listing": "c9", "type": "rating", "value": 4, "time": T},
        {"platform": "shop", "user": SHOP, "listing": "s10", "type": "purchase", "time": T},
    ]
    assert (await door.post("/v1/events", json={"events": events})).json()["stored"] == 2
    row = {"id": "canary-f", "recommendation": answer["id"], "item": answer["items"][0]["item"]}
    said = [{**row, "kind": "accepted", "why": WHY}]
    assert (await door.post("/v1/feedback", json={"feedback": said})).json()["stored"] == 1
    stated = [{"source": "cinema", "target": "shop", "allowed": False}]
    put = await door.put(f"/v1/users/cinema/{CINEMA}/consent", json={"statements": stated})
    assert put.json()["serves"]["shop"] == ["shop"]
    person = str(answer["person"])
    event = (await door.get(f"/v1/users/cinema/{CINEMA}/export")).json()["events"][0]["id"]
    said = Statement("lasting", SAID, (event,), 0.9)
    profile = Profile(person, (said,), "m", "p", int(time.time()))
    store: Store = door.service.store  # type: ignore[attr-defined]
    assert await save_profile(store, profile, "in")
    assert await save_profile(store, profile, "in", part=1, parts=2)
    return person


def _texts(path: Path) -> Iterator[bytes]:
    """A file's bytes, and what its compressed columns hold."""
    yield path.read_bytes()
    if path.suffix == ".parquet":
        yield json.dumps(pq.read_table(path).to_pylist(), default=str).encode()


def _traces(folder: Path, *words: str) -> list[str]:
    return [
        f"{path.relative_to(folder)}: {word}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for text in _texts(path)
        for word in words
        if word.encode() in text
    ]


async def test_a_canary_is_found_nowhere_after_its_erasure(planted: Path) -> None:
    workspace = Workspace(planted.parent / "workspace")
    store = {"store": StoreConfig()}
    first = workspace.models.current().name
    async with doors(planted, planted.parent, **store) as door:
        person = await _use(door)
        words = (CINEMA, SHOP, WHY, SAID, "canary-f", person)
        export = (await door.get(f"/v1/users/shop/{SHOP}/export")).json()
        assert {account["user"] for account in export["accounts"]} == {CINEMA, SHOP}
        assert len(export["events"]) == 4 + 3 + 2 + 1 and len(export["live_events"]) == 3
        assert export["recommendations"][0]["feedback"][0]["why"] == WHY and export["consents"]
        assert [one["text"] for one in export["profile"]] == [SAID, SAID]
        assert _traces(workspace.folder, CINEMA) and _traces(workspace.folder, WHY)
        assert (await door.get(f"/v1/users/cinema/{CINEMA}/consent")).json()["statements"]

        gone = await door.delete(f"/v1/users/cinema/{CINEMA}")
        assert gone.status_code == 200 and gone.json()["accounts"] == 2
        assert gone.json()["erased"]["live_events"] == 3 and gone.json()["erased"]["served"] >= 1
        assert gone.json()["erased"]["knowledge"] == 4
        await _unknown(door, person)
        files = [workspace.store_file, Path(f"{workspace.store_file}-wal")]
        assert not [
            word for file in files if file.exists() for word in words if word.encode() in file.read_bytes()
        ]

        again = await door.post("/v1/events", json={"events": [_late(T)]})
        assert again.json()["verdicts"][0]["code"] == "erased"
        twice = (await door.delete(f"/v1/users/cinema/{CINEMA}")).json()
        assert not any(twice["erased"].values())

    refused = whyrec("train", "--config", planted)
    assert refused.exit_code == 1 and "whyrec ingest" in refused.stderr
    _run(planted, "ingest", "train")
    assert _traces(workspace.folder, *words) == []
    assert first not in workspace.models.names()
    back = whyrec("models", "use", first, "--config", planted)
    assert back.exit_code == 1

    async with doors(planted, planted.parent, **store) as door:
        await _unknown(door, person)
        assert _library(door).accounts(person) == []
        assert (await door.post("/v1/events", json={"events": [_late(4_000_000_000 - 10)]})).json()[
            "rejected"
        ]


def _late(time: int) -> dict[str, Any]:
    return {"platform": "cinema", "user": CINEMA, "listing": "c9", "type": "rating", "value": 4, "time": time}


def _library(door: Any) -> BuildLibrary:
    found: BuildLibrary = door.service.library
    return found


async def _unknown(door: httpx.AsyncClient, person: str) -> None:
    for account in (f"cinema/{CINEMA}", f"shop/{SHOP}"):
        for what in ("history", "profile", "recommendations", "export"):
            assert (await door.get(f"/v1/users/{account}/{what}")).status_code == 404
        assert (await door.get(f"/v1/users/{account}/consent")).json()["statements"] == []
    for body in ({"person": person}, {"user": {"platform": "shop", "user": SHOP}}):
        assert (await door.post("/v1/recommendations", json=body)).status_code == 404


async def test_consent_counts_in_the_next_answer_and_is_replaced_whole(planted: Path, tmp_path: Path) -> None:
    async with doors(planted, tmp_path) as door:
        path = "/v1/users/cinema/u1/consent"
        stated = [{"source": "*", "target": "*", "allowed": False}]
        serves = (await door.put(path, json={"statements": stated})).json()["serves"]
        assert serves == {"cinema": ["cinema"], "shop": ["shop"]}
        assert (await door.get(path)).json()["statements"] == stated
        shop = {"user": {"platform": "cinema", "user": "u1"}, "platform": "shop", "mode": "recall", "k": 24}
        alone = (await door.post("/v1/recommendations", json=shop)).json()
        assert len(alone["items"]) == 24
        assert (await door.put(path, json={"statements": []})).json()["serves"]["shop"] == ["cinema", "shop"]
        assert len((await door.post("/v1/recommendations", json=shop)).json()["items"]) < 24
        for wrong in ("opera", "cinema"):
            body = {"statements": [{"source": "cinema", "target": wrong, "allowed": True}]}
            assert (await door.put(path, json=body)).status_code in (404, 422)


async def test_an_answer_under_way_while_its_person_is_erased_is_not_kept(
    whole: Path, tmp_path: Path
) -> None:
    from api.asking import question_of
    from api.schemas import RecommendationBody

    async with doors(whole, tmp_path) as door:
        service = door.service
        body = RecommendationBody.model_validate({"user": {"platform": "cinema", "user": "u5"}})
        person = await service.person("cinema", "u5")
        question = await question_of(service, body, person=person)
        found = await service.pipeline.recommend(question.request)
        assert (await door.delete("/v1/users/cinema/u5")).status_code == 200
        await question.keep(service, found)
        assert (await door.get(f"/v1/recommendations/{found.id}")).status_code == 404


async def test_somebody_who_comes_back_begins_anew(whole: Path, tmp_path: Path) -> None:
    async with doors(whole, tmp_path) as door:
        assert (await door.delete("/v1/users/cinema/u6")).status_code == 200
        assert (await door.get("/v1/users/cinema/u6/history")).status_code == 404
        late = {"platform": "cinema", "user": "u6", "listing": "c1", "type": "rating", "value": 5}
        row = late | {"time": int(time.time()) + 60}
        assert (await door.post("/v1/events", json={"events": [row]})).json()["stored"] == 1
        assert len((await door.get("/v1/users/cinema/u6/history")).json()["events"]) == 1
