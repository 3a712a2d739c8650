"""`whyrec bench api`: requests a second and their times, beside an empty FastAPI route in the same run.

The server runs in a process of its own on one core, the load on another where there is one. Every request
carries a key and is written to the journal, as in service; people and platforms are the sample's.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from evals.bench.figure import Figure
from recall.artefact import Artefact
from recall.errors import WhyrecError
from recall.workspace import Workspace

CONNECTIONS = 32
STREAMS = 200
MODEL_SECONDS = 0.05
_CODE = "from api.bench import answer_for_the_bench as go; go()"


def run(
    *, quick: bool, cache: Path, workspace: Workspace | None, progress: Callable[[str], None]
) -> list[Figure]:
    """`agree` is the share of requests answered with 200 and, for streams, with an end."""
    config = _sample(cache / "api", progress)
    bodies = _bodies(config)
    seconds = 2.0 if quick else 10.0
    figures: list[Figure] = []
    measured: dict[str, float] = {}
    for mode, path in (("empty", "/empty"), ("recall", ""), ("model", "")):
        progress(f"{mode}: {seconds:.0f} s of load")
        with _server(config, mode) as (port, key):
            ask = [_request(path or "/v1/recommendations", each, key) for each in _of(mode, bodies)]
            asyncio.run(_load(port, ask, CONNECTIONS, min(1.0, seconds)))  # warm
            times, good, took = asyncio.run(_load(port, ask, CONNECTIONS, seconds))
            measured[mode] = len(times) / took
            peer = None if mode == "empty" else "empty FastAPI route"
            ratio = None if mode == "empty" else measured[mode] / measured["empty"]
            name = _NAMES[mode]
            figures.append(Figure(name, round(measured[mode], 1), "requests/s", peer, ratio, good))
            for label, part in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
                value = float(np.quantile(times, part)) * 1000
                figures.append(Figure(name, round(value, 2), f"ms {label}"))
            if mode == "model":
                progress(f"{STREAMS} streams at once")
                count = 20 if quick else STREAMS
                ask = [
                    _request(
                        "/v1/recommendations", {**each, "mode": "explain", "deadline_ms": 60_000}, key, True
                    )
                    for each in bodies
                ]
                times, good, _ = asyncio.run(_load(port, ask, count, None, count))
                name = f"{count} streams at once, model of {1000 * MODEL_SECONDS:.0f} ms"
                for label, part in (("p50", 0.5), ("p99", 0.99)):
                    value = float(np.quantile(times, part)) * 1000
                    figures.append(Figure(name, round(value, 1), f"ms {label}", agree=good))
    return figures


_NAMES = {
    "empty": "an empty route",
    "recall": "mode=recall, 20 items",
    "model": f"mode=rank, scripted model of {1000 * MODEL_SECONDS:.0f} ms",
}


def _of(mode: str, bodies: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
    if mode == "empty":
        return [None]
    return [{**body, "mode": "recall" if mode == "recall" else "rank"} for body in bodies]


def _sample(folder: Path, progress: Callable[[str], None]) -> Path:
    """The sample's whyrec.toml, ingested and trained."""
    config = folder / "whyrec.toml"
    try:
        Artefact.open(Workspace(folder / "workspace").models.current())
        return config
    except WhyrecError:
        pass
    from recall.sample import make_sample

    progress("making the sample")
    if not config.exists():
        make_sample(folder)
    for command in ("ingest", "train"):
        progress(f"whyrec {command}")
        done = subprocess.run(
            [sys.executable, "-c", "from api.cli.main import run; run()", command, "--config", str(config)],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise WhyrecError(f"whyrec {command} on the sample failed: {done.stderr.strip()[-500:]}")
    return config


def _bodies(config: Path) -> list[dict[str, Any]]:
    """Two hundred people of the sample who ask on a platform of theirs."""
    from recall.links_index import LinksIndex

    build = Workspace(config.parent / "workspace").builds.current()
    accounts = sorted(LinksIndex.load(build).accounts)
    chosen = np.random.default_rng(0).choice(len(accounts), 200, replace=False)
    return [
        {"user": {"platform": platform, "user": user}, "platform": platform, "k": 20}
        for platform, user in (accounts[row] for row in chosen)
    ]


def _request(path: str, body: dict[str, Any] | None, key: str, stream: bool = False) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    lines = [
        f"{'GET' if body is None else 'POST'} {path} HTTP/1.1",
        "Host: bench",
        f"Authorization: Bearer {key}",
        f"Content-Length: {len(content)}",
        "Content-Type: application/json",
    ]
    if stream:
        lines += ["Accept: text/event-stream", "Connection: close"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


async def _load(
    port: int, requests: list[bytes], connections: int, seconds: float | None, count: int | None = None
) -> tuple[list[float], float, float]:
    """Times of the answers, the share that was good, and the seconds that it took.

    Every connection asks again as soon as it is answered, until the time is over or `count` were asked.
    """
    times: list[float] = []
    good = 0
    asked = 0
    began = time.perf_counter()
    end = began + (seconds if seconds is not None else 600.0)

    async def connection(place: int) -> None:
        nonlocal good, asked
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        at = place
        try:
            while time.perf_counter() < end and (count is None or asked < count):
                asked += 1
                started = time.perf_counter()
                writer.write(requests[at % len(requests)])
                whole = await _answer(reader)
                good += whole
                times.append(time.perf_counter() - started)
                at += connections
                if count is not None:
                    break
        finally:
            writer.close()

    await asyncio.gather(*(connection(place) for place in range(connections)))
    return times, good / max(1, len(times)), time.perf_counter() - began


async def _answer(reader: asyncio.StreamReader) -> bool:
    """Read one answer to its end; whether it was a 200 and whole."""
    head = await reader.readuntil(b"\r\n\r\n")
    ok = head.startswith(b"HTTP/1.1 200")
    lower = head.lower()
    if b"content-length:" in lower:
        size = int(lower.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        await reader.readexactly(size)
        return ok
    body = await reader.read()
    return ok and b"event: done" in body


@contextmanager
def _server(config: Path, mode: str) -> Iterator[tuple[int, str]]:
    """A serving process on one core; its port, and a key for it."""
    environment = {**os.environ, "WHYREC_LLM__ENGINE": "none", "WHYREC_SECURITY__OPEN": "false"}
    with subprocess.Popen(
        [sys.executable, "-c", _CODE, str(config), mode],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().split()
            if len(line) != 2:
                raise WhyrecError(f"the bench's server did not start: run `whyrec serve --config {config}`")
            yield int(line[0]), line[1]
        finally:
            process.terminate()
            process.wait()


def answer_for_the_bench() -> None:
    """The server process: its arguments are the configuration and the mode; prints port and key."""
    import socket

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as whyrec serve does
        asyncio.run(_serve(Path(sys.argv[1]), sys.argv[2], listener))


async def _serve(config: Path, mode: str, listener: Any) -> None:
    from contextlib import AsyncExitStack

    import uvicorn
    from fastapi import FastAPI

    from api.app import create_app
    from api.keys import make_key
    from api.logs import configure_logs
    from api.migrations import upgrade
    from api.scenarios import Scenarios
    from api.server import collect_seldom
    from api.service import Service
    from api.settings import load_settings
    from recall.store import open_store
    from rerank.assembly import assemble

    configure_logs(json=True)
    async with AsyncExitStack() as opened:
        key = "none"
        if mode == "empty":
            app = FastAPI()

            @app.get("/empty")
            async def empty() -> dict[str, str]:
                return {}
        else:
            collect_seldom()  # as whyrec serve does
            settings = load_settings(config)
            store = await opened.enter_async_context(
                open_store(settings.store.resolve(Workspace(settings.workspace).store_file))
            )
            await upgrade(store)
            key, _ = await make_key(store, name="bench", scopes=["read"], per_minute=0)
            model = _scripted() if mode == "model" else None
            pipeline = await opened.enter_async_context(assemble(settings, store=store, model=model))
            app = create_app(Service(settings, pipeline, store, Scenarios(settings, pipeline, {})))
        print(listener.getsockname()[1], key, flush=True)
        options = uvicorn.Config(app, log_config=None, access_log=False, backlog=2048)
        await uvicorn.Server(options).serve(sockets=[listener])


def _scripted() -> Any:
    """A model that turns the list round after 50 ms and writes no reasons."""
    from rerank.llm.scripted import Asked, ScriptedModel

    def answer(asked: Asked) -> str:
        wanted = (asked.schema or {}).get("properties", {})
        if "order" in wanted:
            return json.dumps({"order": list(wanted["order"]["items"]["enum"])[::-1]})
        return json.dumps({"reasons": []})

    return ScriptedModel(answer, delay=MODEL_SECONDS)
