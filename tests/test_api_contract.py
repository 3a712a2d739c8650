"""The contract: the OpenAPI's examples are taken, hostile bodies are not, answers are as documented."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.keys import make_key
from api.migrations import open_migrated
from api.schemas import Problem
from api.security import SecurityConfig
from tests.doors import alone, doors
from tests.serving import opened

BODIES = [
    ("POST", "/v1/recommendations"),
    ("POST", "/v1/events"),
    ("POST", "/v1/feedback"),
    ("POST", "/v1/batches"),
    ("PUT", "/v1/items"),
    ("PUT", "/v1/users/cinema/u7/consent"),
    ("POST", "/rerank"),
]
HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "cut": b'{"events": [',
    "nan": b'{"k": NaN, "person": "p", "query": NaN, "events": NaN}',
    "infinity": b'{"k": Infinity, "value": -Infinity}',
    "huge number": b'{"k": ' + b"9" * 5000 + b"}",
    "exponent": b'{"k": 1e999}',
    "lone surrogate": b'{"person": "\\ud800", "query": "\\udfff", "documents": ["\\ud800"]}',
    "bad utf-8": b'{"person": "\xff\xfe"}',
    "utf-16": '{"person": "p"}'.encode("utf-16"),
    "nul": b'{"person": "\x00"}',
    "nul escaped": b'{"person": "\\u0000", "user": {"platform": "\\u0000", "user": "\\u0000"}}',
    "deep lists": b"[" * 10_000 + b"]" * 10_000,
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "deep inside": b'{"person": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "many keys": b"{" + b",".join(b'"k%d":1' % n for n in range(20_000)) + b"}",
    "long key": b'{"' + b"x" * 500_000 + b'": 1}',
    "list": b"[]",
    "word": b"nul",
    "number": b"7",
    "proto": b'{"__proto__": {"k": 1}, "constructor": 1}',
    "30 MB": b'{"person": "' + b"a" * 30_000_000 + b'"}',
    "30 MB of brackets": b"[" * 30_000_000,
}
CHECKS = """[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "429"]
"""
"""413 besides the usual ones: a list that is too long may be a body that is too large."""
JSON = {"content-type": "application/json"}


def _memory() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_hostile_bodies_are_refused_without_echo_or_memory(whole: Path, tmp_path: Path) -> None:
    async with doors(whole, tmp_path) as door:

        async def throw() -> None:
            for method, path in BODIES:
                for name, body in HOSTILE.items():
                    answer = await door.request(method, path, content=body, headers=JSON)
                    assert answer.status_code in (400, 404, 413, 422), (path, name, answer.text)
                    assert answer.headers["content-type"] == "application/problem+json", (path, name)
                    assert len(answer.content) < 10_000, (path, name)
                    assert b"a" * 64 not in answer.content and b"x" * 64 not in answer.content, (path, name)
                    Problem.model_validate_json(answer.content)

        await throw()
        before = _memory()
        await throw()
        assert _memory() - before < 50_000_000


async def test_a_body_of_another_type_is_refused(whole: Path, tmp_path: Path) -> None:
    async with doors(whole, tmp_path) as door:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            answer = await door.post("/v1/events", content=b"events=1", headers={"content-type": kind})
            assert answer.status_code == 422


async def test_every_example_of_the_document_is_taken_by_its_door(whole: Path, tmp_path: Path) -> None:
    async with doors(whole, tmp_path) as door:
        document = (await door.get("/openapi.json")).json()
        tried = 0
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                for example in _examples(document, operation):
                    filled = path.replace("{platform}", "cinema").replace("{user}", "u7")
                    answer = await door.request(method, filled, json=example)
                    assert answer.status_code < 300, (path, answer.text)
                    assert (
                        "rejected" not in answer.json()
                        or path == "/v1/feedback"
                        or not answer.json()["rejected"]
                    )
                    extra = await door.request(method, filled, json={**example, "surplus": 1})
                    assert extra.status_code == (422 if "rerank" not in path else 200)
                    tried += 1
        assert tried >= 10


def _examples(document: dict[str, Any], operation: dict[str, Any]) -> list[Any]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return []
    schema = document["components"]["schemas"][content["schema"]["$ref"].rsplit("/", 1)[1]]
    assert schema.get("examples"), content
    found: list[Any] = schema["examples"]
    return found


@pytest.mark.long
def test_schemathesis_finds_nothing(whole: Path, tmp_path: Path) -> None:
    """The whole document, every check: no 5xx, no undocumented status, answers conform."""
    settings = alone(whole, tmp_path, security=SecurityConfig(open=False, per_minute=0))
    assert settings.store.url is not None
    with open_migrated(settings.store.url) as store:
        key, _ = store.run(make_key(store, name="all", scopes=["admin"], per_minute=0))
    (tmp_path / "schemathesis.toml").write_text(CHECKS)
    with opened(settings, create_app) as url:
        command = [str(Path(sys.executable).with_name("st")), "run", f"{url}/openapi.json", "--checks", "all"]
        command += ["--max-examples", "60", "--seed", "7", "--suppress-health-check", "all", "--workers", "2"]
        command += ["-H", f"X-API-Key: {key}"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
