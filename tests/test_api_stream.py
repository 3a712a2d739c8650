"""Answers as Server-Sent Events over real HTTP: in order, whatever the model does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.schemas import RecommendationAnswer
from api.schemas.recommendations import Listed, Told
from rerank.llm import LLMConfig
from tests.doors import alone
from tests.openai_server import openai_server
from tests.serving import opened

USER = {"platform": "cinema", "user": "u7"}
Events = list[tuple[str, Any, float]]


@contextmanager
def door(whole: Path, folder: Path, url: str | None = None, **more: Any) -> Iterator[httpx.Client]:
    llm = LLMConfig(engine="none") if url is None else LLMConfig(engine="openai", base_url=url, retries=0)
    with (
        opened(alone(whole, folder, llm=llm, **more), create_app) as base,
        httpx.Client(base_url=base, timeout=30) as client,
    ):
        yield client


def stream(client: httpx.Client, **body: Any) -> Events:
    """(event, data, seconds since the request) of each one until the end."""
    began, found = time.perf_counter(), []
    headers = {"Accept": "text/event-stream"}
    with client.stream("POST", "/v1/recommendations", json={"user": USER, **body}, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append((name, json.loads(line.removeprefix("data: ")), time.perf_counter() - began))
    return found


def _in_order(events: Events, k: int) -> dict[str, Any]:
    """Checks the order of the events, and returns the last one's data."""
    names = [name for name, _, _ in events]
    assert names == ["recalled", "ranked", *["reason"] * k, "done"]
    (_, recalled, _), (_, ranked, _), *reasons, (_, done, _) = events
    for data in (recalled, ranked):
        assert Listed.model_validate(data).model_dump() == data
    assert all(Told.model_validate(data).model_dump() == data for _, data, _ in reasons)
    assert RecommendationAnswer.model_validate(done).model_dump() == done
    assert [item["recall_rank"] for item in recalled["items"]] == list(range(1, k + 1))
    assert [item["item"] for item in ranked["items"]] == [item["item"] for item in done["items"]]
    assert {told["item"]: told["reason"] for _, told, _ in reasons} == {
        item["item"]: item["reason"] for item in done["items"]
    }
    found: dict[str, Any] = done
    return found


def test_recall_order_comes_first_then_the_model_s_then_reasons_then_the_whole(
    whole: Path, tmp_path: Path
) -> None:
    with openai_server(delay=0.4) as server, door(whole, tmp_path, server.url) as client:
        events = stream(client, k=5)
        done = _in_order(events, 5)
        assert client.get(f"/v1/recommendations/{done['id']}").status_code == 200
    assert done["provenance"]["rerank_status"] == "full"
    assert events[0][2] < 0.4 < events[1][2]


def test_a_get_streams_too(whole: Path, tmp_path: Path) -> None:
    with door(whole, tmp_path) as client:
        headers = {"Accept": "text/event-stream"}
        answer = client.get("/v1/users/cinema/u7/recommendations?k=2", headers=headers)
    assert [line for line in answer.text.splitlines() if line.startswith("event")] == [
        f"event: {name}" for name in ("recalled", "ranked", "reason", "reason", "done")
    ]


def test_a_model_that_hangs_ends_in_done_by_the_deadline(whole: Path, tmp_path: Path) -> None:
    with openai_server(delay=60) as server, door(whole, tmp_path, server.url) as client:
        events = stream(client, k=3, deadline_ms=800)
    done = _in_order(events, 3)
    assert (done["provenance"]["rerank_status"], done["provenance"]["cause"]) == ("skipped", "deadline")
    assert events[-1][2] < 1.3


def test_a_model_that_fails_ends_in_done_with_its_cause(whole: Path, tmp_path: Path) -> None:
    with openai_server() as server:
        gone = server.url
    with door(whole, tmp_path, gone) as client:
        done = _in_order(stream(client, k=3), 3)
    assert done["provenance"]["cause"] == "connection"


def test_what_is_wrong_before_the_first_event_is_a_plain_problem(whole: Path, tmp_path: Path) -> None:
    with door(whole, tmp_path) as client:
        headers = {"Accept": "text/event-stream"}
        body = {"user": {"platform": "cinema", "user": "nobody"}}
        answer = client.post("/v1/recommendations", json=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_a_fault_after_the_first_event_is_told_as_an_error(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("internals")

    with door(whole, tmp_path) as client:
        monkeypatch.setattr("rerank.pipeline.weigh", broken)
        events = stream(client, k=3)
    assert [name for name, _, _ in events] == ["recalled", "error"]
    assert (events[1][1]["status"], "internals" in json.dumps(events[1][1])) == (500, False)
    assert events[1][1]["request_id"]


def test_a_caller_that_leaves_frees_the_model(whole: Path, tmp_path: Path) -> None:
    llm = {"concurrency": 1}
    with openai_server(delay=2.5) as server:
        model = LLMConfig(engine="openai", base_url=server.url, retries=0, **llm)
        settings = alone(whole, tmp_path, llm=model)
        with opened(settings, create_app) as base, httpx.Client(base_url=base, timeout=30) as client:
            headers = {"Accept": "text/event-stream"}
            body = {"user": USER, "k": 3, "deadline_ms": 60_000}
            with client.stream("POST", "/v1/recommendations", json=body, headers=headers) as answer:
                lines = answer.iter_lines()
                assert next(lines) == "event: recalled"
                _called(server, 1)
            began = time.perf_counter()
            other = threading.Thread(target=lambda: stream(client, k=3, mode="rank"), daemon=True)
            other.start()
            _called(server, 1)  # the endpoint's one place is free again before its answer came
            assert time.perf_counter() - began < 2
            other.join(timeout=20)


def _called(server: Any, count: int) -> None:
    while count:
        count -= server.next_request()["path"] == "/v1/chat/completions"


def test_the_first_event_comes_within_50_ms_of_mode_recall(whole: Path, tmp_path: Path) -> None:
    with openai_server(delay=0.2) as server, door(whole, tmp_path, server.url) as client:

        def recall() -> float:
            began = time.perf_counter()
            answer = client.post("/v1/recommendations", json={"user": USER, "k": 10, "mode": "recall"})
            assert answer.status_code == 200
            return time.perf_counter() - began

        recall(), stream(client, k=10)
        plain = sorted(recall() for _ in range(15))[7]
        first = sorted(stream(client, k=10)[0][2] for _ in range(15))[7]
    assert first < plain + 0.05, (first, plain)
