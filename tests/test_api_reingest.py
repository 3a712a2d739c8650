"""What came in over HTTP and comes again in a file counts once; feedback and new listings reach the build."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

from recall.store import StoreConfig
from recall.workspace import Workspace
from tests.doors import doors
from tests.whole import trained, whyrec

T = 1_720_000_000


async def test_an_event_posted_then_exported_to_a_file_and_ingested_counts_once(tmp_path: Path) -> None:
    config = trained(tmp_path)
    async with doors(config, tmp_path, store=StoreConfig()) as door:
        event = {"platform": "cinema", "user": "u7", "listing": "c1", "type": "rating", "value": 5, "time": T}
        posted = (await door.post("/v1/events", json={"events": [event]})).json()["verdicts"][0]["event"]
        body = {"user": {"platform": "cinema", "user": "u7"}, "k": 1, "mode": "recall"}
        answer = (await door.post("/v1/recommendations", json=body)).json()
        row = {"id": "f", "recommendation": answer["id"], "item": answer["items"][0]["item"], "time": T}
        said = (await door.post("/v1/feedback", json={"feedback": [{**row, "kind": "accepted"}]})).json()
        assert said["verdicts"][0]["counts"]
        new = {"platform": "shop", "listing": "s900", "title": "Quite Another", "year": 2024}
        assert (await door.put("/v1/items", json={"items": [new]})).json()["stored"] == 1
        before = (await door.get("/v1/users/cinema/u7/history")).json()["events"]
    with (tmp_path / "ratings.csv").open("a") as file:
        file.write(f"u7,c1,5,{T}\n")  # the platform's own export of the same rating
    done = whyrec("ingest", "--config", config, "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["total"]["reasons"]["duplicate"] == 1
    build = Workspace(tmp_path / "workspace").builds.current()
    events = pq.read_table(build / "events.parquet").to_pylist()
    assert Counter(one["event"] for one in events)[posted] == 1
    said_events = [one for one in events if one["type"] == "accepted-feedback"]
    assert [(one["user"], one["weight"], one["polarity"]) for one in said_events] == [("u7", 1_000_000, 1)]
    assert "Quite Another" in pq.read_table(build / "items.parquet")["title"].to_pylist()

    assert whyrec("train", "--config", config).exit_code == 0
    async with doors(config, tmp_path, store=StoreConfig()) as door:
        after = (await door.get("/v1/users/cinema/u7/history")).json()["events"]
    assert Counter(one["event"] for one in after) == Counter(one["event"] for one in before)
