"""The embedded model in its own process: deadlines are kept, nothing is left over, nothing outlives it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recall.errors import DataError, ModelError
from rerank.llm.embedded import EmbeddedModel
from rerank.types import Cause, Deadline, Message, Sampling

ASK = (Message("user", "Say a few words about the sea."),)
LONG = (Message("user", "many different words stand in here " * 800),)


@pytest.fixture
def weights(small_model: Path) -> Path:
    return small_model


@pytest.fixture
async def model(embedded: EmbeddedModel) -> EmbeddedModel:
    await embedded.capabilities(Deadline.after(60))
    return embedded


ENDLESS = {
    "type": "object",
    "properties": {"words": {"type": "array", "items": {"type": "string"}, "minItems": 300}},
    "required": ["words"],
    "additionalProperties": False,
}
"""A model that may stop when it likes sometimes stops before its deadline."""


async def seconds(model: EmbeddedModel, tokens: int = 4) -> float:
    began = time.monotonic()
    await model.chat(ASK, sampling=Sampling(tokens), deadline=Deadline.after(60))
    return time.monotonic() - began


async def ticking(gaps: list[float]) -> None:
    """How long the event loop stood still at a time."""
    last = time.monotonic()
    while True:
        await asyncio.sleep(0.005)
        now = time.monotonic()
        gaps.append(now - last)
        last = now


@pytest.mark.parametrize("asked", [LONG, ASK], ids=["while reading", "while writing"])
async def test_a_deadline_is_kept_the_loop_runs_on_and_the_next_call_is_as_fast(
    model: EmbeddedModel, asked: tuple[Message, ...]
) -> None:
    before = [await seconds(model) for _ in range(5)]
    gaps: list[float] = []
    clock = asyncio.create_task(ticking(gaps))
    began = time.monotonic()
    with pytest.raises(ModelError) as failure:
        await model.chat(asked, sampling=Sampling(800), deadline=Deadline.after(0.5), schema=ENDLESS)
    late = time.monotonic() - began - 0.5
    first = await seconds(model)
    clock.cancel()
    assert failure.value.cause == Cause.DEADLINE
    assert late < 0.25
    assert max(gaps) < 0.25
    assert first < 3 * max(before) + 0.5  # the step that was under way ends within it
    assert sorted([await seconds(model) for _ in range(5)])[2] < 2 * max(before) + 0.1


async def test_a_caller_who_leaves_stops_the_work(model: EmbeddedModel) -> None:
    before = max([await seconds(model) for _ in range(3)])
    leaving = [
        asyncio.create_task(model.chat(LONG, sampling=Sampling(400), deadline=Deadline.after(60)))
        for _ in range(3)
    ]
    await asyncio.sleep(0.2)
    for task in leaving:
        task.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    assert await seconds(model) < 3 * before + 1.0


async def test_it_is_loaded_once(model: EmbeddedModel) -> None:
    pid = model._process.pid
    await asyncio.gather(*(seconds(model) for _ in range(4)))
    assert model._process.pid == pid


@pytest.mark.long
async def test_a_process_that_was_killed_fails_its_calls_and_is_started_again(weights: Path) -> None:
    model = EmbeddedModel(weights)
    await model.capabilities(Deadline.after(60))
    pid = model._process.pid
    call = asyncio.create_task(model.chat(LONG, sampling=Sampling(400), deadline=Deadline.after(60)))
    await asyncio.sleep(0.2)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ModelError) as failure:
        await call
    assert failure.value.cause == Cause.SERVER_ERROR
    assert await seconds(model) > 0
    assert model._process.pid != pid
    await model.aclose()
    assert model._process.pid is None


@pytest.mark.long
async def test_closing_ends_the_process(weights: Path) -> None:
    model = EmbeddedModel(weights)
    await model.capabilities(Deadline.after(60))
    pid = model._process.pid
    await model.aclose()
    assert not alive(pid)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_process_dies_with_its_parent(weights: Path, end: signal.Signals) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path; from rerank.llm.embedded import EmbeddedModel\n"
        "from rerank.types import Deadline\n"
        "async def main():\n"
        "    model = EmbeddedModel(Path(sys.argv[1]))\n"
        "    asyncio.create_task(model.capabilities(Deadline.after(60)))\n"
        "    while model._process.pid is None:\n"
        "        await asyncio.sleep(0.01)\n"
        "    print(model._process.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    command = [sys.executable, "-c", code, str(weights)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        time.sleep(1.0)
        os.kill(parent.pid, end)
        parent.wait(10)
    waited = time.monotonic() + 10
    while alive(child) and time.monotonic() < waited:
        time.sleep(0.05)
    assert not alive(child)


async def test_weights_that_can_not_be_loaded_are_said(tmp_path: Path, weights: Path) -> None:
    broken = tmp_path / "broken.gguf"
    whole = await asyncio.to_thread(weights.read_bytes)
    broken.write_bytes(whole[:4_000_000])  # the header is whole, the tensors are not
    with pytest.raises(DataError, match="4000000 bytes, its tensors end at 98"):
        EmbeddedModel(broken)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] != "Z"
