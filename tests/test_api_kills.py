"""kill -9 of the service under write load: nothing acknowledged is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import random
import socket
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from api.migrations import open_migrated
from recall.store.tables import LIVE_EVENTS
from rerank.journal.tables import FEEDBACK

ROUNDS = int(os.environ.get("WHYREC_TEST_KILLS", "50"))
T = 1_600_000_000


@dataclass
class Load:
    """What was sent and what was acknowledged."""

    numbers: Any = field(default_factory=itertools.count)
    events: list[dict[str, Any]] = field(default_factory=list)
    events_kept: set[str] = field(default_factory=set)
    feedback: list[dict[str, Any]] = field(default_factory=list)
    feedback_kept: set[str] = field(default_factory=set)
    acknowledged: int = 0

    def write(self, url: str, stop: threading.Event) -> None:
        """Until the service is gone."""
        with httpx.Client(base_url=url, timeout=10) as client:
            try:
                while not stop.is_set():
                    self._events(client)
                    self._feedback(client)
            except httpx.HTTPError:
                return

    def _events(self, client: httpx.Client) -> None:
        rows = [
            {"platform": "cinema", "user": f"u{n % 40}", "listing": f"c{n % 24}", "type": "rating"}
            | {"value": 4, "time": T + n}
            for n in (next(self.numbers) for _ in range(5))
        ]
        self.events += rows
        found = client.post("/v1/events", json={"events": rows}).json()
        self.events_kept |= {one["event"] for one in found["verdicts"]}
        self.acknowledged += 1

    def _feedback(self, client: httpx.Client) -> None:
        n = next(self.numbers)
        body = {"user": {"platform": "cinema", "user": f"u{n % 40}"}, "k": 1, "mode": "recall"}
        body["filters"] = {"repeats": True}
        answer = client.post("/v1/recommendations", json=body).json()
        row = {"id": f"f{n}", "recommendation": answer["id"], "item": answer["items"][0]["item"]}
        row |= {"kind": "accepted", "time": T + n}
        self.feedback.append(row)
        found = client.post("/v1/feedback", json={"feedback": [row]}).json()
        assert found["verdicts"][0]["verdict"] in ("stored", "known"), found
        self.feedback_kept.add(row["id"])
        self.acknowledged += 1


_FORKS = multiprocessing.get_context("forkserver")  # what is imported once is not imported every round
_FORKS.set_forkserver_preload(["tests.test_api_kills", "api.server", "recall.store.erasure"])


def _serve(config: Path, url: str, log: Path, ready: Connection) -> None:
    """The service as `whyrec serve` runs it, in a process of its own."""
    os.environ |= {"WHYREC_STORE__URL": url, "WHYREC_LLM__ENGINE": "none", "WHYREC_SECURITY__OPEN": "true"}
    sys.stderr = sys.stdout = log.open("w")
    from api.server import serve
    from api.settings import load_settings

    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        asyncio.run(serve(load_settings(config), listener, ready=lambda: ready.send(address)))


def _start(config: Path, url: str, log: Path) -> tuple[Any, str]:
    ours, theirs = _FORKS.Pipe(duplex=False)
    process = _FORKS.Process(target=_serve, args=(config, url, log, theirs), daemon=True)
    process.start()
    theirs.close()
    assert ours.poll(120), log.read_text()
    return process, ours.recv()


@pytest.mark.long
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_was_acknowledged_outlives_every_kill_and_counts_once(
    whole: Path, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'w.db'}" if kind == "sqlite" else request.getfixturevalue("postgres")
    load, draw = Load(), random.Random(11)
    for round in range(ROUNDS):
        process, address = _start(whole, url, tmp_path / f"{round}.log")
        stop = threading.Event()
        writers = [threading.Thread(target=load.write, args=(address, stop)) for _ in range(3)]
        for writer in writers:
            writer.start()
        enough, latest = load.acknowledged + draw.randint(1, 30), time.monotonic() + 30
        while load.acknowledged < enough and time.monotonic() < latest:
            time.sleep(draw.uniform(0.001, 0.02))
        process.kill()
        process.join()
        stop.set()
        for writer in writers:
            writer.join()
    assert load.acknowledged > ROUNDS

    with open_migrated(url) as store:
        events, said = store.run(_kept(store))
    assert load.events_kept <= set(events) and len(events) == len(set(events))
    assert load.feedback_kept <= set(said) and len(said) == len(set(said))

    process, address = _start(whole, url, tmp_path / "last.log")
    try:
        with httpx.Client(base_url=address, timeout=60) as client:
            for start in range(0, len(load.events), 500):  # the callers send again what was not acknowledged
                client.post(
                    "/v1/events", json={"events": load.events[start : start + 500]}
                ).raise_for_status()
            for start in range(0, len(load.feedback), 500):
                some = load.feedback[start : start + 500]
                client.post("/v1/feedback", json={"feedback": some}).raise_for_status()
    finally:
        process.kill()
        process.join()
    with open_migrated(url) as store:
        events, said = store.run(_kept(store))
        ids, kinds = events, store.run(_types(store))
    assert len(ids) == len(set(ids)) and len(said) == len(set(said))
    assert kinds["rating"] == len(load.events)
    assert kinds["accepted-feedback"] == len(said)


async def _kept(store: Any) -> tuple[list[str], list[str]]:
    async with store.read() as connection:
        events = (await connection.execute(select(LIVE_EVENTS.c.event))).scalars().all()
        said = (await connection.execute(select(FEEDBACK.c.id))).scalars().all()
    return list(events), list(said)


async def _types(store: Any) -> Counter[str]:
    async with store.read() as connection:
        return Counter((await connection.execute(select(LIVE_EVENTS.c.type))).scalars().all())
