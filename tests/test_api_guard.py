"""Default deny: every route of the OpenAPI, with every kind of key."""

from __future__ import annotations

import json
import time
from contextlib import asynccontextmanager

import httpx
import pytest

from api.app import create_app
from api.guard import PUBLIC, SCOPES
from api.keys import make_key
from api.service import Service
from api.settings import load_settings
from recall.errors import ConfigError
from tests.openai_server import openai_server


@pytest.fixture
def closed(whole, tmp_path, monkeypatch):
    """The settings of a service that wants keys, with a store of its own: a key for everything erases too."""
    monkeypatch.setenv("WHYREC_STORE__URL", f"sqlite:///{tmp_path / 'closed.db'}")
    monkeypatch.setenv("WHYREC_SECURITY__OPEN", "false")
    return load_settings(whole)


@asynccontextmanager
async def client_of(settings):
    async with Service.open(settings) as service:
        app = create_app(service)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            client.app = app
            yield client, service.store


def doors(app):
    """(method, path template, path) of every documented route."""
    for path, methods in app.openapi()["paths"].items():
        filled = path.replace("{platform}", "cinema").replace("{user}", "u1")
        for method in methods:
            yield method.upper(), path, filled.replace("{", "").replace("}", "")


def bearer(shown):
    return {"Authorization": f"Bearer {shown}"}


async def test_no_door_but_the_public_ones_opens_without_a_valid_key(closed):
    async with client_of(closed) as (client, store):
        expired, _ = await make_key(store, name="old", scopes=["admin"], expires=int(time.time()) - 5)
        for method, template, path in doors(client.app):
            for headers in ({}, bearer("whyrec_nonsense"), bearer(expired), {"X-API-Key": expired}):
                answer = await client.request(method, path, headers=headers, json={})
                if template in PUBLIC:
                    assert answer.status_code in (200, 503)
                else:
                    assert answer.status_code == 401, (method, path)
                    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
                    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("scope", ["read", "write", "admin"])
async def test_a_scope_opens_its_own_doors_only(closed, scope):
    async with client_of(closed) as (client, store):
        shown, _ = await make_key(store, name=scope, scopes=[scope], per_minute=0)
        for method, template, path in doors(client.app):
            if template in PUBLIC:
                continue
            needed = SCOPES.get((method, template), "admin")
            answer = await client.request(method, path, headers=bearer(shown), json={})
            assert (answer.status_code == 403) == (scope not in (needed, "admin")), (method, path, needed)


async def test_a_key_of_one_platform_does_not_open_another(closed):
    async with client_of(closed) as (client, store):
        shown, _ = await make_key(store, name="s", scopes=["admin"], platforms=["shop"], per_minute=0)
        tried = 0
        for method, template, path in doors(client.app):
            if "{platform}" in template:
                tried += 1
                answer = await client.request(method, path, headers=bearer(shown), json={})
                assert answer.status_code == 403, (method, path)
        body = {"user": {"platform": "cinema", "user": "u1"}, "platform": "shop", "mode": "recall"}
        for platform, status in (("shop", 200), ("cinema", 403), (None, 403)):
            asked = {**body, "user": {"platform": "shop", "user": "k1"}, "platform": platform}
            answer = await client.post("/v1/recommendations", headers=bearer(shown), json=asked)
            assert answer.status_code == status, (platform, answer.text)
        answer = await client.post("/v1/recommendations", headers=bearer(shown), json=body)
        assert answer.status_code == 403  # a user of cinema


async def test_every_listed_scope_belongs_to_a_route(closed):
    async with client_of(closed) as (client, _):
        routes = {(method, template) for method, template, _ in doors(client.app)}
        assert SCOPES.keys() <= routes


async def test_above_its_rate_a_key_waits(closed):
    async with client_of(closed) as (client, store):
        shown, _ = await make_key(store, name="slow", scopes=["read"], per_minute=2)
        body = {"user": {"platform": "cinema", "user": "u1"}, "mode": "recall"}
        answers = [
            await client.post("/v1/recommendations", headers=bearer(shown), json=body) for _ in range(5)
        ]
        if len({answer.headers["RateLimit-Reset"] for answer in answers}) > 30:
            pytest.skip("the minute ended meanwhile")
        statuses = [answer.status_code for answer in answers]
        assert statuses[:2] == [200, 200]
        assert 429 in statuses
        last = answers[statuses.index(429)]
        assert 1 <= int(last.headers["Retry-After"]) <= 60
        assert answers[0].headers["RateLimit-Limit"] == "2"


async def test_pages_of_other_origins_get_no_leave(closed):
    async with client_of(closed) as (client, _):
        answer = await client.get("/health/live", headers={"Origin": "https://elsewhere.example"})
        assert "access-control-allow-origin" not in answer.headers


async def test_the_documentation_names_keys_and_refusals(closed):
    async with client_of(closed) as (client, _):
        schema = client.app.openapi()
        operation = schema["paths"]["/v1/recommendations"]["post"]
        assert {"401", "403", "429"} <= operation["responses"].keys()
        assert operation["security"]
        assert "security" not in schema["paths"]["/health/live"]["get"]


def test_a_service_without_keys_listens_on_loopback_only(whole):
    from api.cli.serve import check_open

    settings = load_settings(whole)
    check_open(settings, "127.0.0.1")
    check_open(settings, "localhost")
    with pytest.raises(ConfigError, match="open = true"):
        check_open(settings, "0.0.0.0")


async def test_metrics_count_what_was_answered_by_template(closed):
    async with client_of(closed) as (client, store):
        shown, _ = await make_key(store, name="root", scopes=["admin"])
        body = {"user": {"platform": "cinema", "user": "u1"}, "mode": "recall"}
        await client.post("/v1/recommendations", headers=bearer(shown), json=body)
        await client.get("/nowhere/at/all", headers=bearer(shown))
        text = (await client.get("/metrics", headers=bearer(shown))).text
        assert 'whyrec_requests_total{method="POST",route="/v1/recommendations",status="200"} 1.0' in text
        assert 'whyrec_stage_seconds_count{stage="recall"} 1.0' in text
        assert 'whyrec_rerank_total{cause="keep_order",status="skipped"} 1.0' in text
        assert "nowhere" not in text


async def test_pages_of_the_configured_origins_may_ask_and_no_others(closed):
    open_to = closed.model_copy(
        update={"security": closed.security.model_copy(update={"origins": ("https://shop.example",)})}
    )
    async with client_of(open_to) as (client, _):
        asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "X-API-Key"}
        for origin, allowed in (("https://shop.example", True), ("https://evil.example", False)):
            told = await client.options("/v1/recommendations", headers=asking | {"Origin": origin})
            assert (told.headers.get("access-control-allow-origin") == origin) is allowed
            answer = await client.post("/v1/recommendations", headers={"Origin": origin}, json={})
            assert answer.status_code == 401  # an origin opens no door
            assert ("access-control-allow-origin" in answer.headers) is allowed
            assert "access-control-allow-credentials" not in answer.headers


async def test_a_log_line_holds_the_template_and_no_user(closed, capsys):
    from api.logs import configure_logs

    configure_logs(json=True)
    async with client_of(closed) as (client, store):
        shown, key = await make_key(store, name="r", scopes=["read"])
        body = {"user": {"platform": "cinema", "user": "u1"}, "mode": "recall"}
        await client.post("/v1/recommendations?user=u1", headers=bearer(shown), json=body)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if '"request"' in line]
    (line,) = [each for each in lines if each["event"] == "request"]
    assert line["route"] == "/v1/recommendations"
    assert line["key"] == key.id
    assert "u1" not in json.dumps(line)
    assert shown not in json.dumps(line)


async def test_a_key_whose_day_is_spent_gets_the_recall_order(whole, monkeypatch):
    with openai_server() as model:
        monkeypatch.setenv("WHYREC_SECURITY__OPEN", "false")
        monkeypatch.setenv("OPENAI_BASE_URL", model.url)
        async with client_of(load_settings(whole)) as (client, store):
            shown, _ = await make_key(store, name="small", scopes=["read"], tokens_per_day=1)
            body = {"user": {"platform": "cinema", "user": "u1"}, "mode": "rank", "deadline_ms": 20_000}
            told = []
            for wish in ("a", "b"):
                answer = await client.post(
                    "/v1/recommendations", headers=bearer(shown), json={**body, "wish": wish}
                )
                told.append(answer.json()["provenance"])
            assert told[0]["rerank_status"] == "full"
            assert (told[1]["rerank_status"], told[1]["cause"]) == ("skipped", "budget")
            batch = {"users": [{"platform": "cinema", "user": "u1"}]}
            answer = await client.post("/v1/batches", headers=bearer(shown), json=batch)
            assert answer.status_code == 403


async def test_readiness_that_makes_the_model_work_needs_a_key(closed):
    async with client_of(closed) as (client, _):
        assert (await client.get("/health/ready")).status_code in (200, 503)
        assert (await client.get("/health/ready", params={"measure": "true"})).status_code == 401


async def test_a_batch_of_another_platform_stays_closed(closed):
    async with client_of(closed) as (client, store):
        every, _ = await make_key(store, name="all", scopes=["read"])
        shop, _ = await make_key(store, name="shop", scopes=["read"], platforms=["shop"])
        batch = {"users": [{"platform": "cinema", "user": "u1"}], "mode": "recall"}
        made = await client.post("/v1/batches", headers=bearer(every), json=batch)
        path = f"/v1/batches/{made.json()['id']}"
        for method, where in (("GET", path), ("GET", f"{path}/rows"), ("DELETE", path)):
            answer = await client.request(method, where, headers=bearer(shop))
            assert answer.status_code == 403, (method, where)
        assert (await client.get(path, headers=bearer(every))).status_code == 200
