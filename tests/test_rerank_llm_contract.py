"""What every engine promises, run on each: an endpoint, the embedded model, the scripted one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from recall.errors import DataError, ModelError, NotFound
from rerank.llm.config import EndpointConfig
from rerank.llm.openai import OpenAIModel
from rerank.llm.scripted import ScriptedModel
from rerank.llm.weights import KNOWN, find_weights, pull
from rerank.types import Cause, ChatModel, Deadline, Message, Sampling
from tests.fault_server import fault_server

ASK = (Message("system", "You order things."), Message("user", "Order A and B."))
SCHEMA = {
    "type": "object",
    "properties": {"order": {"type": "array", "items": {"type": "string", "enum": ["A", "B"]}}},
    "required": ["order"],
    "additionalProperties": False,
}


class Contract:
    """Subclasses give `model`."""

    async def test_a_reply_has_text_model_and_usage(self, model: ChatModel) -> None:
        reply = await model.chat(ASK, sampling=Sampling(8), deadline=Deadline.after(20))
        assert reply.text and reply.model and reply.usage.prompt > 0 and reply.usage.completion > 0

    async def test_a_schema_is_followed(self, model: ChatModel) -> None:
        reply = await model.chat(ASK, sampling=Sampling(80), deadline=Deadline.after(20), schema=SCHEMA)
        assert set(json.loads(reply.text)["order"]) <= {"A", "B"}

    async def test_labels_have_log_probabilities_and_nothing_else_has(self, model: ChatModel) -> None:
        results = await model.label_scores([ASK, ASK[1:]], labels=["A", "B"], deadline=Deadline.after(20))
        assert len(results) == 2
        for scores in results:
            assert set(scores.logprobs) == {"A", "B"}
            assert all(value < 0 for value in scores.logprobs.values())

    async def test_no_prompts_give_no_scores(self, model: ChatModel) -> None:
        assert await model.label_scores([], labels=["A"], deadline=Deadline.after(20)) == []

    async def test_count_grows_with_the_text(self, model: ChatModel) -> None:
        longer = (*ASK, Message("user", "and then put C, D and E behind them, please"))
        assert 0 < await model.count(ASK) < await model.count(longer)

    async def test_a_deadline_that_has_passed_is_an_error_with_its_cause(self, model: ChatModel) -> None:
        with pytest.raises(ModelError) as failure:
            await model.chat(ASK, sampling=Sampling(8), deadline=Deadline.after(0))
        assert failure.value.cause == Cause.DEADLINE

    async def test_cancelled_calls_leave_the_next_one_as_it_was(self, model: ChatModel) -> None:
        task = asyncio.create_task(model.chat(ASK, sampling=Sampling(50), deadline=Deadline.after(20)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await model.chat(ASK, sampling=Sampling(8), deadline=Deadline.after(20))).text


class TestScripted(Contract):
    @pytest.fixture
    async def model(self) -> ChatModel:
        return ScriptedModel(
            lambda asked: '{"order": ["B", "A"]}' if asked.schema else "words",
            lambda asked: {"A": -1, "B": -2, "C": -3},
        )


class TestEndpoint(Contract):
    @pytest.fixture
    async def model(self) -> AsyncIterator[ChatModel]:
        async with fault_server() as server:
            made = OpenAIModel(EndpointConfig(base_url=server.url))
            yield made
            await made.aclose()


class TestEmbedded(Contract):
    @pytest.fixture
    async def model(self, embedded: ChatModel) -> ChatModel:
        await embedded.capabilities(Deadline.after(60))
        return embedded

    async def test_a_prompt_longer_than_the_context_is_refused(self, model: ChatModel) -> None:
        with pytest.raises(ModelError) as failure:
            await model.chat(
                [Message("user", "word " * 9000)], sampling=Sampling(5), deadline=Deadline.after(20)
            )
        assert failure.value.cause == Cause.CONTEXT

    async def test_a_schema_that_is_none_fails_alone(self, model: ChatModel) -> None:
        with pytest.raises(ModelError) as failure:
            await model.chat(ASK, sampling=Sampling(5), deadline=Deadline.after(20), schema={"type": "objct"})
        assert failure.value.cause == Cause.BAD_REQUEST
        assert (await model.chat(ASK, sampling=Sampling(5), deadline=Deadline.after(20))).text

    async def test_labels_of_several_tokens_are_unsupported(self, model: ChatModel) -> None:
        with pytest.raises(ModelError) as failure:
            await model.label_scores([ASK], labels=["QXZQ", "ZZQX"], deadline=Deadline.after(20))
        assert failure.value.cause == Cause.UNSUPPORTED


def test_weights_are_found_only_once_pulled(tmp_path) -> None:
    with pytest.raises(NotFound, match="whyrec llm pull"):
        find_weights("smollm2-135m-instruct", tmp_path)


def test_a_file_that_is_no_gguf_is_not_kept(tmp_path) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGML" + bytes(100))
    with pytest.raises(DataError, match="not a GGUF file"):
        pull(str(bad), folder=tmp_path / "models")
    assert not list((tmp_path / "models").iterdir())


def test_a_wrong_checksum_is_refused(tmp_path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"GGUF")
    with pytest.raises(DataError, match="sha256"):
        pull(str(file), sha256="0" * 64, folder=tmp_path / "models")


def test_the_default_model_is_known() -> None:
    assert "smollm2-135m-instruct" in KNOWN
