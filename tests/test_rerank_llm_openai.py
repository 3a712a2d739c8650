"""An endpoint as it behaves and misbehaves, through real sockets."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import pytest

from recall.errors import ModelError
from rerank.llm import EndpointConfig, LLMConfig, make_model
from rerank.llm.breaker import Breaker, Guarded
from rerank.llm.openai import OpenAIModel
from rerank.types import Cause, Deadline, Message, Reply, Sampling
from tests.fault_server import MODEL, FaultServer, fault_server

ASK = (Message("system", "You order things."), Message("user", "Order A and B."))
SCHEMA = {
    "type": "object",
    "properties": {"order": {"type": "array", "items": {"type": "string", "enum": ["A", "B"]}}},
    "required": ["order"],
    "additionalProperties": False,
}


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with fault_server() as running:
        yield running


def endpoint(url: str, **values: object) -> OpenAIModel:
    return OpenAIModel(EndpointConfig.model_validate({"base_url": url, **values}))


async def ask(model: OpenAIModel | Guarded, seconds: float = 1.0) -> Reply:
    return await model.chat(ASK, sampling=Sampling(20), deadline=Deadline.after(seconds))


FAULTS = {
    "hang": Cause.DEADLINE,
    "drip": Cause.DEADLINE,
    "reset": Cause.CONNECTION,
    "unfinished": Cause.CONNECTION,
    "429": Cause.RATE_LIMITED,
    "429-date": Cause.RATE_LIMITED,
    "429-negative": Cause.RATE_LIMITED,
    "429-huge": Cause.RATE_LIMITED,
    "500": Cause.SERVER_ERROR,
    "html": Cause.BAD_REPLY,
    "not-json": Cause.BAD_REPLY,
    "no-choices": Cause.BAD_REPLY,
    "null": Cause.BAD_REPLY,
}


@pytest.mark.parametrize(("fault", "cause"), FAULTS.items())
async def test_every_fault_ends_by_the_deadline_with_its_cause_and_frees_what_it_held(
    server: FaultServer, fault: str, cause: Cause
) -> None:
    server.fault = fault
    model = endpoint(server.url)
    tasks = len(asyncio.all_tasks())
    start = time.monotonic()
    with pytest.raises(ModelError) as failure:
        await ask(model, seconds=0.9)
    assert time.monotonic() - start < 0.9 + 0.25
    assert failure.value.cause == cause
    await model.aclose()
    for _ in range(150):  # the dripping server notices at its next byte
        if server.open == 0:
            break
        await asyncio.sleep(0.01)
    assert server.open == 0
    assert len(asyncio.all_tasks()) == tasks


async def test_a_refused_connection_says_so_before_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    start = time.monotonic()
    with pytest.raises(ModelError) as failure:
        await ask(endpoint(f"http://127.0.0.1:{port}/v1", model="m"), seconds=5)
    assert failure.value.cause == Cause.CONNECTION
    assert time.monotonic() - start < 2


async def test_a_wrong_model_name_is_a_bad_request_and_is_not_tried_again(server: FaultServer) -> None:
    with pytest.raises(ModelError) as failure:
        await ask(endpoint(server.url, model="other"))
    assert failure.value.cause == Cause.BAD_REQUEST
    assert len(server.asked) == 1


async def test_a_truncated_answer_is_marked(server: FaultServer) -> None:
    server.fault = "truncated"
    assert (await ask(endpoint(server.url))).truncated


@pytest.mark.parametrize("fault", ["500", "reset", "429-negative"])
async def test_a_passing_fault_is_tried_again(server: FaultServer, fault: str) -> None:
    server.faults.append(fault)
    assert (await ask(endpoint(server.url), seconds=3)).text == "plain words"
    assert len(server.asked) == 2


async def test_retry_after_is_waited_for_when_it_fits(server: FaultServer) -> None:
    server.faults.append("429")
    start = time.monotonic()
    assert (await ask(endpoint(server.url), seconds=4)).text == "plain words"
    assert 1.0 <= time.monotonic() - start < 2.0


async def test_without_a_configured_name_the_first_listed_model_is_asked(server: FaultServer) -> None:
    reply = await ask(endpoint(server.url))
    assert reply.model == MODEL
    assert reply.usage.prompt == 11 and reply.usage.completion == 3


async def test_a_schema_goes_out_as_response_format(server: FaultServer) -> None:
    model = endpoint(server.url)
    reply = await model.chat(ASK, sampling=Sampling(20), deadline=Deadline.after(2), schema=SCHEMA)
    assert reply.text == '{"order": ["A"]}'
    assert server.asked[0]["response_format"]["json_schema"]["strict"] is True


async def test_what_an_endpoint_refuses_is_left_out_and_remembered(server: FaultServer) -> None:
    server.refused = ("max_tokens", "temperature", "response_format")
    model = endpoint(server.url)
    await model.chat(ASK, sampling=Sampling(20), deadline=Deadline.after(2), schema=SCHEMA)
    assert server.asked[-1]["max_completion_tokens"] == 20
    before = len(server.asked)
    await model.chat(ASK, sampling=Sampling(20), deadline=Deadline.after(2), schema=SCHEMA)
    assert len(server.asked) == before + 1


async def test_label_scores_add_up_tokens_that_differ_in_blanks(server: FaultServer) -> None:
    [scores] = await endpoint(server.url).label_scores(
        [ASK], labels=["A", "B", "C"], deadline=Deadline.after(2)
    )
    assert scores.logprobs["A"] == pytest.approx(-0.4211, abs=1e-3)
    assert scores.logprobs["B"] == -1.5
    assert "C" not in scores.logprobs


async def test_calls_at_once_are_bounded_per_endpoint(server: FaultServer) -> None:
    server.seconds = 0.02
    model = endpoint(server.url, concurrency=3)
    await model.label_scores([ASK] * 12, labels=["A"], deadline=Deadline.after(5))
    assert server.most_at_once == 3


async def test_waiting_for_a_place_counts_against_the_deadline(server: FaultServer) -> None:
    server.fault = "hang"
    model = endpoint(server.url, concurrency=1)
    start = time.monotonic()
    failures = await asyncio.gather(*(ask(model, 0.3) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(each, ModelError) and each.cause == Cause.DEADLINE for each in failures)
    assert time.monotonic() - start < 0.55


async def test_cancelling_a_call_frees_its_place_and_its_connection(server: FaultServer) -> None:
    server.fault = "hang"
    model = endpoint(server.url, concurrency=1)
    task = asyncio.create_task(ask(model, 30))
    await asyncio.sleep(0.3)
    assert server.asked
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    server.fault = None
    assert (await ask(model, 2)).text == "plain words"


async def test_the_probe_tells_an_enforced_schema_from_an_ignored_one(server: FaultServer) -> None:
    found = await endpoint(server.url).capabilities(Deadline.after(3))
    assert (found.json_schema, found.logprobs, found.context, found.tokenizer) == (True, True, 4096, True)
    server.ignores_schema = True
    assert (await endpoint(server.url).capabilities(Deadline.after(3))).json_schema is False


async def test_count_asks_the_servers_tokenizer_once_the_probe_found_it(server: FaultServer) -> None:
    model = endpoint(server.url)
    assert await model.count(ASK) == 19  # estimated: 17 and 14 characters, 3 a token, 4 a message
    await model.capabilities(Deadline.after(3))
    assert await model.count(ASK) == 7  # words, as this server counts


async def test_a_sustained_outage_opens_the_breaker_and_then_costs_nothing(server: FaultServer) -> None:
    server.fault = "500"
    model = Guarded(endpoint(server.url, retries=0), Breaker(5, 60))
    for _ in range(5):
        with pytest.raises(ModelError):
            await ask(model)
    asked = len(server.asked)
    start = time.monotonic()
    for _ in range(20):
        with pytest.raises(ModelError) as failure:
            await ask(model)
        assert failure.value.cause == Cause.BREAKER_OPEN
    assert (time.monotonic() - start) / 20 < 0.005
    assert len(server.asked) == asked


async def test_a_half_open_breaker_lets_one_call_decide(server: FaultServer) -> None:
    now = [0.0]
    breaker = Breaker(1, 10, clock=lambda: now[0])
    model = Guarded(endpoint(server.url, retries=0), breaker)
    server.fault = "500"
    with pytest.raises(ModelError):
        await ask(model)
    now[0] = 11.0
    server.fault, server.seconds = None, 0.05
    results = await asyncio.gather(*(ask(model) for _ in range(3)), return_exceptions=True)
    assert sum(isinstance(each, Reply) for each in results) == 1
    assert breaker.state == "closed"


async def test_a_request_fault_does_not_open_the_breaker(server: FaultServer) -> None:
    breaker = Breaker(1, 10)
    with pytest.raises(ModelError):
        await ask(Guarded(endpoint(server.url, model="other"), breaker))
    assert breaker.state == "closed"


async def test_the_next_endpoint_answers_when_the_first_hangs(server: FaultServer) -> None:
    async with fault_server() as second:
        server.fault, second.answer = "hang", "from the second"
        config = LLMConfig.model_validate({"base_url": server.url, "fallbacks": [{"base_url": second.url}]})
        model = make_model(config, {})
        assert model is not None
        reply = await model.chat(ASK, sampling=Sampling(9), deadline=Deadline.after(1))
        assert reply.text == "from the second"
        await model.aclose()


def test_the_environment_names_the_endpoint_and_empty_counts_as_unset() -> None:
    model = make_model(LLMConfig(), {"OPENAI_BASE_URL": "http://one/v1/", "OPENAI_MODEL": "m"})
    assert isinstance(model, Guarded) and isinstance(model.model, OpenAIModel)
    assert (model.model.address, model.name, model.weight) == ("http://one/v1", "m", 0.5)
    assert make_model(LLMConfig(engine="none"), {"OPENAI_BASE_URL": ""}) is None
