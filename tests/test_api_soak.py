"""Mixed faults for a while: flat memory, sockets and tasks, and no error but a 503 while the store is locked.

WHYREC_SOAK_SECONDS says how long (60 by default).
"""

from __future__ import annotations

import os
import random
import re
import socket
import sqlite3
import threading
import time
from collections import Counter

import httpx
import pytest

from recall.generations import Generations
from tests.openai_server import openai_server
from tests.test_api_serve import serving
from tests.whole import trained, whyrec

pytestmark = pytest.mark.long
SECONDS = float(os.environ.get("WHYREC_SOAK_SECONDS", "60"))


@pytest.fixture
def config(tmp_path):
    """Two artefacts to change between."""
    config = trained(tmp_path)
    assert whyrec("train", "-c", config).exit_code == 0
    return config


def figures(url):
    text = httpx.get(f"{url}/metrics", timeout=60).text
    names = {
        "tasks": "whyrec_tasks",
        "files": "process_open_fds",
        "memory": "process_resident_memory_bytes",
    }
    return {
        short: float(re.search(rf"^{name} (\S+)", text, re.MULTILINE)[1]) for short, name in names.items()
    }


class Load:
    """Callers of every kind, until told to stop."""

    def __init__(self, url):
        self.url = url
        self.stop = threading.Event()
        self.statuses = Counter()
        self.causes = Counter()
        self.broken = []
        kinds = [self.ask, self.ask, self.leave, self.drip, self.write]
        self.threads = [threading.Thread(target=self.repeat, args=(kind, n)) for n, kind in enumerate(kinds)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)

    def repeat(self, kind, seed):
        chance = random.Random(seed)
        with httpx.Client(base_url=self.url, timeout=60) as client:
            while not self.stop.is_set():
                try:
                    kind(client, chance)
                except httpx.HTTPError as error:
                    self.broken.append(f"{kind.__name__}: {error!r}")

    def count(self, answer):
        self.statuses[answer.status_code] += 1
        if answer.status_code == 503:
            assert answer.headers["Retry-After"]

    def ask(self, client, chance):
        mode = chance.choice(["recall", "rank", "explain"])
        body = {"user": {"platform": "cinema", "user": f"u{chance.randrange(40)}"}, "mode": mode, "k": 3}
        if chance.random() < 0.5:
            body["wish"] = f"number {chance.random()}"  # not to be found in the cache
        answer = client.post("/v1/recommendations", json={**body, "deadline_ms": 800})
        self.count(answer)
        if answer.status_code == 200:
            self.causes[str(answer.json()["provenance"]["cause"])] += 1

    def leave(self, client, chance):
        """Go before the answer is there."""
        body = {"user": {"platform": "cinema", "user": "u1"}, "deadline_ms": 800}
        try:
            client.post("/v1/recommendations", json=body, timeout=chance.uniform(0.001, 0.05))
        except httpx.TimeoutException:
            self.causes["left"] += 1
        time.sleep(0.05)

    def drip(self, client, chance):
        """Send a body slowly, then go in the middle of it."""
        host, port = self.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{")
            for _ in range(5):
                slow.sendall(b" ")
                time.sleep(0.05)

    def write(self, client, chance):
        event = {"platform": "shop", "user": "k7", "listing": f"s{chance.randrange(24)}", "type": "purchase"}
        event["time"] = 1_720_000_000 + chance.randrange(1_000_000)
        self.count(client.post("/v1/events", json={"events": [event]}))
        time.sleep(0.02)


def test_faults_of_every_kind_leave_memory_sockets_and_tasks_flat(config):
    models = Generations(config.parent / "workspace" / "models")
    database = config.parent / "workspace" / "whyrec.db"
    chance = random.Random(0)
    with openai_server(delay=0.01) as model:
        options = {"OPENAI_BASE_URL": model.url, "WHYREC_LLM__BREAKER_SECONDS": "1"}
        with serving(config, **options) as (client, process):
            threading.Thread(target=lambda: [None for _ in process.stderr], daemon=True).start()
            url = str(client.base_url).rstrip("/")
            with Load(url) as load:
                time.sleep(SECONDS / 4)  # until what is kept on purpose is kept
            time.sleep(3)
            before = figures(url)
            end = time.monotonic() + SECONDS * 3 / 4
            down = False
            with Load(url) as load:
                while time.monotonic() < end:
                    time.sleep(1)
                    fault = chance.choice(["reload", "lock", "model"])
                    if fault == "reload":
                        models.use(chance.choice(models.names()))
                    elif fault == "lock":
                        with sqlite3.connect(database, isolation_level=None) as other:
                            other.execute("BEGIN IMMEDIATE")
                            time.sleep(1)
                            other.execute("ROLLBACK")
                        other.close()
                    elif not down and time.monotonic() > end - SECONDS * 3 / 8:
                        down = True
                        model.kill()
            time.sleep(3)
            after = figures(url)
    print(before, after, dict(load.statuses), dict(load.causes))
    assert set(load.statuses) <= {200, 503}
    assert load.statuses[200] > SECONDS
    assert load.broken == []
    assert down
    assert load.causes.keys() & {"connection", "breaker_open"}
    assert after["tasks"] <= before["tasks"] + 2
    assert after["files"] <= before["files"] + 5
    assert after["memory"] <= before["memory"] * 1.1 + 20e6
