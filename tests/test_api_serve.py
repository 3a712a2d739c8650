"""`whyrec serve` as a process, asked over real HTTP."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.schemas import Problem, Ready, RecommendationAnswer
from tests.openai_server import MODEL, Running, openai_server

ROOT = Path(__file__).parents[1]


@contextmanager
def serving(config: Path, **environment: str) -> Iterator[tuple[httpx.Client, subprocess.Popen[str]]]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "WHYREC_"))}
    code = "from api.cli.main import run; run()"
    command = [sys.executable, "-c", code, "serve", "--port", "0", "--config", str(config)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        env={**clean, "PYTHONPATH": str(ROOT), **environment},
    ) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://\S+:\d+", line)
        assert found, line + process.stderr.read()
        try:
            with httpx.Client(base_url=found[0], timeout=20) as client:
                yield client, process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def model() -> Iterator[Running]:
    with openai_server() as server:
        yield server


@pytest.fixture(scope="module")
def client(whole: Path, model: Running) -> Iterator[httpx.Client]:
    settings = {"OPENAI_BASE_URL": model.url, "WHYREC_RANK__WEIGHT": "1"}
    with serving(whole, **settings) as (client, _):
        yield client


def _ask(client: httpx.Client, **body: Any) -> RecommendationAnswer:
    answer = client.post("/v1/recommendations", json={"user": {"platform": "cinema", "user": "u7"}, **body})
    assert answer.status_code == 200, answer.text
    return RecommendationAnswer.model_validate_json(answer.content)


def _refused(client: httpx.Client, status: int, **body: Any) -> Problem:
    answer = client.post("/v1/recommendations", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    return Problem.model_validate_json(answer.content)


def test_an_account_gets_explained_recommendations_in_the_model_s_order(client: httpx.Client) -> None:
    answer = _ask(client, k=5)
    assert [item.rank for item in answer.items] == [1, 2, 3, 4, 5]
    assert (answer.provenance.model, answer.provenance.rerank_status) == (MODEL, "full")
    assert all(item.reason and item.reason.evidence for item in answer.items)


def test_a_person_id_from_an_answer_names_the_same_person(client: httpx.Client) -> None:
    first = _ask(client, k=5)
    again = client.post("/v1/recommendations", json={"person": first.person, "k": 5}).json()
    assert [item["item"] for item in again["items"]] == [item.item for item in first.items]


def test_mode_recall_asks_no_model(client: httpx.Client, model: Running) -> None:
    model.requests()
    answer = _ask(client, mode="recall")
    assert answer.provenance.rerank_status == "skipped" and answer.provenance.cause == "keep_order"
    assert all(item.reason is None for item in answer.items)
    assert model.requests() == []


def test_the_wish_reaches_the_model(client: httpx.Client, model: Running) -> None:
    model.requests()
    _ask(client, wish="something about lighthouses")
    assert "lighthouses" in json.dumps([each["body"] for each in model.requests()])


def test_filters_hold(client: httpx.Client) -> None:
    answer = _ask(client, mode="recall", filters={"categories_in": ["Comedy"]})
    assert answer.items and all("Comedy" in item.categories for item in answer.items)
    left = _ask(client, mode="recall", filters={"exclude": [answer.items[0].item]})
    assert answer.items[0].item not in {item.item for item in left.items}


def test_as_of_a_time_before_everything_there_is_no_evidence(client: httpx.Client) -> None:
    answer = _ask(client, as_of=1_000_000_000, mode="explain")
    assert all(each.kind != "event" for item in answer.items for each in item.reason.evidence)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"person": "p0"}, "no person 'p0'"),
        ({"user": {"platform": "cinema", "user": "nobody"}}, "nobody"),
        ({"user": {"platform": "cinema", "user": "u7"}, "platform": "opera"}, "have cinema, shop"),
        ({"user": {"platform": "cinema", "user": "u7"}, "prompt": "no-such-prompt"}, "no-such-prompt"),
    ],
    ids=["person", "user", "platform", "prompt"],
)
def test_what_is_unknown_is_a_404_that_names_it(client: httpx.Client, body: Any, part: str) -> None:
    assert part in _refused(client, 404, **body).detail


def test_readiness_tells_artefact_model_and_store(client: httpx.Client) -> None:
    ready = Ready.model_validate_json(client.get("/health/ready").content)
    assert ready.status == "ready" and ready.store == "ok" and ready.artefact
    assert ready.model is not None and ready.model["model"] == MODEL
    assert ready.methods["listwise"] == "ok" and "needs logprobs" in ready.methods["logits"]
    assert ready.measured is None
    measured = client.get("/health/ready", params={"measure": True}).json()["measured"]
    assert measured["methods"] == ready.methods and measured["prefill"] > 0
    assert client.get("/health/ready").json()["measured"] == measured  # once for a process
    assert client.get("/health/live").json() == {"status": "live"}


def test_the_examples_of_the_openapi_document_are_accepted(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    examples = document["components"]["schemas"]["RecommendationBody"]["examples"]
    assert len(examples) >= 2
    for example in examples:
        assert client.post("/v1/recommendations", json=example).status_code in (200, 404)
        assert client.post("/v1/recommendations", json={**example, "x": 1}).status_code == 422


def test_the_answer_comes_by_its_deadline_when_the_model_hangs(whole: Path) -> None:
    with openai_server(delay=60) as slow, serving(whole, OPENAI_BASE_URL=slow.url) as (client, _):
        answer = _ask(client, deadline_ms=600, k=5)
    assert answer.provenance.milliseconds["total"] < 850
    assert (answer.provenance.rerank_status, answer.provenance.cause) == ("skipped", "deadline")
    assert [item.recall_rank for item in answer.items] == [1, 2, 3, 4, 5]


def test_sigterm_ends_the_service_cleanly(whole: Path) -> None:
    with serving(whole, WHYREC_LLM__ENGINE="none") as (client, process):
        assert client.get("/health/ready").json()["model"] is None
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        log = process.stderr.read()
        assert process.wait(timeout=10) == 0
    assert "Traceback" not in log
    assert "u7" not in log


def test_told_to_stop_it_answers_what_is_asked_and_ends_streams_with_an_event(whole: Path) -> None:
    asked = {"user": {"platform": "cinema", "user": "u7"}}
    stream = {"json": asked | {"deadline_ms": 60_000}, "headers": {"Accept": "text/event-stream"}}
    with (
        openai_server(delay=60) as slow,
        serving(whole, OPENAI_BASE_URL=slow.url) as (client, process),
        client.stream("POST", "/v1/recommendations", **stream) as events,  # type: ignore[arg-type]
        ThreadPoolExecutor(1) as pool,
    ):
        lines = events.iter_lines()
        assert next(lines) == "event: recalled"
        plain = asked | {"deadline_ms": 6000}
        under_way = pool.submit(client.post, "/v1/recommendations", json=plain)
        time.sleep(2)  # it waits for the model, as the stream does
        assert not under_way.done()
        process.send_signal(signal.SIGTERM)
        rest = [line for line in lines if line]
        assert rest[-2] == "event: error"
        told = Problem.model_validate_json(rest[-1].removeprefix("data: "))
        assert (told.status, told.type) == (503, "urn:whyrec:stopping")
        assert under_way.result().status_code == 200
        assert process.wait(timeout=20) == 0


def test_an_address_in_use_is_named_before_anything_is_opened(whole: Path, client: httpx.Client) -> None:
    from tests.whole import whyrec

    done = whyrec("serve", "--port", str(client.base_url.port), "--config", whole)
    assert done.exit_code == 1 and "can't listen" in done.stderr


def test_answers_on_a_kept_connection_do_not_wait_for_the_caller_s_ack() -> None:
    from api.cli.serve import _listen

    with _listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
