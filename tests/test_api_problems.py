"""Errors over HTTP, on an app of one route with the service's real body model, handlers and limits."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import recall.errors
from api import problems
from api.requests import BodyLimit, RequestId
from api.schemas import Problem, RecommendationBody
from recall.errors import ModelError, NotFound, StoreError, WhyrecError


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = FastAPI()
    app.add_middleware(BodyLimit, max_bytes=10_000)
    app.add_middleware(RequestId)
    problems.install(app)

    @app.post("/ask")
    async def ask(body: RecommendationBody) -> RecommendationBody:
        return body

    @app.get("/missing")
    async def missing() -> None:
        raise NotFound("no person 'p\udc80<script>'; have 3")

    @app.get("/broken")
    async def broken() -> None:
        raise StoreError("store sqlite:////srv/secret.db: locked")

    @app.get("/bug")
    async def bug() -> None:
        raise ZeroDivisionError("internals")

    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def _refused(client: TestClient, body: str | bytes, status: int = 422) -> Problem:
    answer = client.post("/ask", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    return Problem.model_validate_json(answer.content)


def _errors(kind: type[WhyrecError]) -> set[type[WhyrecError]]:
    return {kind}.union(*(_errors(each) for each in kind.__subclasses__()))


def test_every_error_class_of_the_rooms_behind_a_door_has_a_status() -> None:
    apart = ("test", "evals")  # no door runs an evaluation
    own = {kind for kind in _errors(WhyrecError) if not kind.__module__.startswith(apart)}
    assert own >= {kind for kind in vars(recall.errors).values() if isinstance(kind, type)}
    assert own - set(problems.STATUSES) == set()


def test_what_is_not_there_is_a_404_with_its_message_and_the_request_id(client: TestClient) -> None:
    answer = client.get("/missing", headers={"X-Request-Id": "abc-1"})
    body = Problem.model_validate_json(answer.content.replace(b"\\udc80", b"?"))
    assert (answer.status_code, body.type, body.request_id) == (404, "urn:whyrec:not-found", "abc-1")
    assert body.detail == "no person 'p?<script>'; have 3"
    assert answer.headers["X-Request-Id"] == "abc-1"


def test_a_fault_of_the_service_keeps_its_paths_to_the_log(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.get("/broken")
    assert answer.status_code == 503 and b"secret" not in answer.content
    assert "secret.db" in caplog.text and answer.json()["request_id"] in caplog.text


def test_a_bug_is_a_500_without_internals(client: TestClient) -> None:
    answer = client.get("/bug")
    assert answer.status_code == 500 and b"internals" not in answer.content
    assert answer.headers["content-type"] == "application/problem+json"


def test_unknown_routes_and_methods_are_problems_too(client: TestClient) -> None:
    assert Problem.model_validate_json(client.get("/nowhere").content).status == 404
    answer = client.delete("/ask")
    assert Problem.model_validate_json(answer.content).status == 405 and answer.headers["allow"] == "POST"


def test_a_request_id_that_is_no_plain_word_is_replaced(client: TestClient) -> None:
    assert client.get("/missing", headers={"X-Request-Id": "a b<"}).headers["X-Request-Id"].isalnum()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"person": "p1", "k": 0}, "body.k"),
        ({"person": "p1", "k": 1.5}, "body.k"),
        ({"person": "p1", "k": "5"}, "body.k"),
        ({"person": "p1", "k": True}, "body.k"),
        ({"person": "p1", "kk": 1}, "body.kk"),
        ({"person": "p1", "wish": ""}, "body.wish"),
        ({"person": "p1", "mode": "best"}, "body.mode"),
        ({"person": "p1", "filters": {"price_max": float("nan")}}, "body.filters.price_max"),
        ({"person": "p1", "filters": {"price_max": float("inf")}}, "body.filters.price_max"),
        ({"person": "a\udc80"}, "body.person"),
        ({"user": {"platform": "cinema"}}, "body.user.user"),
        ({"person": "p1", "user": {"platform": "a", "user": "b"}}, "body"),
        ({}, "body"),
        ([], "body"),
        ({"person": "p1", "as_of": 10**30}, "body.as_of"),
    ],
    ids=str,
)
def test_a_wrong_field_is_named(client: TestClient, body: object, field: str) -> None:
    found = _refused(client, json.dumps(body))
    assert found.errors is not None and [each.field for each in found.errors] == [field]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b'"\\ud800"', b"[" * 5000, b'{"person": "\x00"}', b"nul"],
    ids=["empty", "cut", "bytes", "surrogate", "deep", "nul", "word"],
)
def test_hostile_bodies_are_refused_without_an_echo(client: TestClient, body: bytes) -> None:
    answer = client.post("/ask", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 1000


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_the_limit_is_refused(client: TestClient, chunked: bool) -> None:
    body = b'{"person": "' + b"a" * 20_000 + b'"}'
    headers = {"content-type": "application/json"}
    answer = client.post("/ask", content=iter([body]) if chunked else body, headers=headers)
    assert answer.status_code == 413
    assert Problem.model_validate_json(answer.content).request_id == answer.headers["x-request-id"]


def test_of_duplicate_keys_the_last_one_counts(client: TestClient) -> None:
    answer = client.post(
        "/ask", content=b'{"person": "a", "person": "b"}', headers={"content-type": "application/json"}
    )
    assert answer.json()["person"] == "b"


def test_a_model_error_is_a_bad_gateway(client: TestClient) -> None:
    assert problems.STATUSES[ModelError] == 502
