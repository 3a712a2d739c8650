"""What `whyrec llm check` tells of an engine: told apart on real servers that can and cannot."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from typer.testing import CliRunner

from api.cli.main import app
from rerank.llm.config import EndpointConfig
from rerank.llm.measure import measure, usable
from rerank.llm.openai import OpenAIModel
from rerank.llm.scripted import Asked, ScriptedModel
from rerank.types import Capabilities, Deadline, Reply, Usage
from tests.fault_server import MODEL, FaultServer, fault_server
from tests.openai_server import openai_server


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with fault_server() as running:
        yield running


async def test_an_endpoint_tells_what_it_lists_and_can(server: FaultServer) -> None:
    model = OpenAIModel(EndpointConfig(base_url=server.url))
    found = await model.capabilities(Deadline.after(10))
    await model.aclose()
    assert (found.models, found.context, found.tokenizer) == ((MODEL,), 4096, True)
    assert (found.json_schema, found.logprobs, found.masks) == (True, True, False)


async def test_a_schema_that_is_taken_and_ignored_is_not_enforced(server: FaultServer) -> None:
    server.ignores_schema = True
    model = OpenAIModel(EndpointConfig(base_url=server.url))
    assert (await model.capabilities(Deadline.after(10))).json_schema is False
    await model.aclose()


async def test_an_endpoint_as_fast_the_second_time_as_the_first_has_no_prefix_cache(
    server: FaultServer,
) -> None:
    server.seconds = 0.2
    model = OpenAIModel(EndpointConfig(base_url=server.url))
    found = await measure(model, Deadline.after(20))
    await model.aclose()
    assert found.prefix_cache is False and found.first_seconds is not None and found.first_seconds >= 0.2
    assert found.prefill == pytest.approx(11 / found.first_seconds)
    assert found.seed_holds is None  # it says the same under any seed


def engine(*, obeys_seed: bool) -> ScriptedModel:
    """Reads 1,000 tokens a second but what it has read before, writes 10."""
    seen: set[str] = set()
    said: list[int] = []

    def answer(asked: Asked) -> Reply:
        assert asked.sampling is not None
        text = asked.messages[0].content
        read, tokens = 0 if text in seen else 600, asked.sampling.max_tokens
        seen.add(text)
        said.append(0)
        word = f"story {asked.sampling.seed if obeys_seed else len(said)}"
        used = Usage(600, tokens, 600 - read)
        return Reply(word, "m", used, seconds=read / 1000 + 0.05 + (tokens - 1) / 10)

    return ScriptedModel(answer)


async def test_speeds_cache_and_seed_are_told_from_times_and_texts() -> None:
    found = await measure(engine(obeys_seed=True), Deadline.after(5))
    assert found.prefix_cache is True and found.seed_holds is True
    assert found.prefill == pytest.approx(600 / 0.65) and found.decode == pytest.approx(10)


async def test_a_seed_that_is_ignored_is_told() -> None:
    assert (await measure(engine(obeys_seed=False), Deadline.after(5))).seed_holds is False


def test_a_method_that_lacks_what_it_needs_is_refused_with_the_remedy() -> None:
    found = usable(Capabilities("m", json_schema=True, logprobs=False))
    assert found["listwise"] == found["keep-order"] == "ok"
    for method in ("logits", "pointwise"):
        assert "needs logprobs" in found[method] and "whyrec llm serve" in found[method]


def test_the_command_prints_a_table_and_json() -> None:
    with openai_server() as running:
        table = CliRunner().invoke(app, ["llm", "check", running.url])
        assert table.exit_code == 0, table.output
        assert "method logits" in table.output and "whyrec llm serve" in " ".join(table.output.split())
        printed = CliRunner().invoke(app, ["llm", "check", running.url, "--json"])
    found = json.loads(printed.stdout)
    assert found["context"] == 8192 and found["methods"]["listwise"] == "ok" and found["first_seconds"] > 0
