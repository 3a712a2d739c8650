"""Several workers on one socket: figures add up, none outlives the service."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import httpx
import pytest

from tests.test_api_serve import serving

pytestmark = pytest.mark.long
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
