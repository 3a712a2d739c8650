"""Several workers on one socket: figures add up, none outlives the service."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from api.keys import make_key
from api.migrations import open_migrated
from tests.openai_server import openai_server
from tests.test_api_serve import serving

pytestmark = pytest.mark.long
IN_FLIGHT = 4
WARM_SECONDS = 3.0
BODY = {"user": {"platform": "cinema", "user": "u7"}, "mode": "recall", "k": 3}


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone(pids: list[int], seconds: float = 20) -> bool:
    """Whether all of them end within `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def four(whole):
    with serving(whole, WHYREC_SERVE__WORKERS="4", WHYREC_LLM__ENGINE="none") as (client, process):
        for _ in range(200):  # until all four have opened
            ask(client)
            if len(children(process.pid)) == 4:
                break
        yield client, process


@contextmanager
def keyed(whole: Path, folder: Path, **key: object) -> Iterator[tuple[httpx.Client, str]]:
    """Four workers behind keys, over a store of their own, with a model; the client, and a key with these
    limits."""
    url = f"sqlite:///{folder / 'keyed.db'}"
    with open_migrated(url) as store:
        shown, _ = store.run(make_key(store, name="limited", scopes=["read", "admin"], **key))  # type: ignore[arg-type]
    security = {"WHYREC_SECURITY__OPEN": "false", "WHYREC_STORE__URL": url, "WHYREC_SERVE__WORKERS": "4"}
    with openai_server() as model, serving(whole, OPENAI_BASE_URL=model.url, **security) as (client, process):
        while len(children(process.pid)) < 4:
            time.sleep(0.05)
        time.sleep(WARM_SECONDS)  # most have opened by then; those that have not take no connection
        yield client, shown


def many(client: httpx.Client, key: str, count: int, body: dict[str, object]) -> list[httpx.Response]:
    """`count` requests of one key, IN_FLIGHT at a time, each on a connection of its own."""
    url, headers = client.base_url.join("/v1/recommendations"), {"X-API-Key": key}
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        asked = [pool.submit(httpx.post, url, json=body, headers=headers, timeout=60) for _ in range(count)]
        return [each.result() for each in asked]


def test_a_rate_limit_holds_over_all_workers(whole, tmp_path):
    with keyed(whole, tmp_path, per_minute=40) as (client, key):
        if 60 - time.time() % 60 < 25:  # all of it within one minute
            time.sleep(61 - time.time() % 60)
        minute = time.time() // 60
        answers = many(client, key, 100, BODY)
        if time.time() // 60 != minute:
            pytest.skip("this machine took longer than a minute over a hundred small answers")
        statuses = Counter(answer.status_code for answer in answers)
        assert set(statuses) == {200, 429}
        assert 40 - 4 * 2 <= statuses[200] <= 40  # each worker may keep a share of two unused
        assert all(int(each.headers["Retry-After"]) > 0 for each in answers if each.status_code == 429)


def test_a_days_tokens_are_passed_by_no_more_than_what_was_under_way(whole, tmp_path):
    limit = 3000
    with keyed(whole, tmp_path, per_minute=0, tokens_per_day=limit) as (client, key):
        took = 0
        most = 0
        for number in range(12):  # each round with questions that no cache knows
            body = {**BODY, "mode": "rank", "wish": f"number {number}"}
            for answer in many(client, key, IN_FLIGHT, body):
                told = answer.json()["provenance"]
                mine = told["usage"]["prompt"] + told["usage"]["completion"]
                took, most = took + mine, max(most, mine)
        assert told["cause"] == "budget"
        assert limit <= took < limit + IN_FLIGHT * most


def test_the_workers_figures_add_up(four):
    client, _ = four
    counted = 'whyrec_requests_total{method="POST",route="/v1/recommendations",status="200"}'

    def total() -> float:
        text = httpx.get(client.base_url.join("/metrics"), timeout=30).text
        found = re.search(re.escape(counted) + r" ([0-9.e+]+)", text)
        return float(found[1]) if found else 0.0

    before = total()
    for _ in range(80):
        assert ask(client).status_code == 200
    assert total() == before + 80


def test_a_worker_that_dies_is_replaced(four):
    client, process = four
    first = children(process.pid)
    os.kill(first[0], signal.SIGKILL)
    end = time.monotonic() + 20
    while time.monotonic() < end and len(set(children(process.pid)) - set(first)) < 1:
        time.sleep(0.1)
    assert len(children(process.pid)) == 4
    assert ask(client).status_code == 200


def test_no_worker_outlives_a_killed_parent(four):
    _, process = four
    workers = children(process.pid)
    process.kill()
    assert gone(workers)


def test_told_to_stop_all_workers_end(four):
    _, process = four
    workers = children(process.pid)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)
    assert process.returncode == 0
    assert gone(workers, 1)


def ask(client: httpx.Client) -> httpx.Response:
    """On a connection of its own, so that any worker may take it."""
    return httpx.post(client.base_url.join("/v1/recommendations"), json=BODY, timeout=30)
