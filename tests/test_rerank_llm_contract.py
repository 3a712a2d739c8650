"""What every engine promises, run on each: an endpoint, the embedded model, the scripted one."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_openai import ChatOpenAI

from recall.errors import ConfigError, DataError, ModelError, NotFound
from rerank.integrations.langchain_model import LangChainModel
from rerank.llm import LLMConfig, make_model
from rerank.llm.config import EndpointConfig
from rerank.llm.openai import OpenAIModel
from rerank.llm.scripted import Asked, ScriptedModel
from rerank.llm.weights import KNOWN, find_weights, pull
from rerank.types import Cause, ChatModel, Deadline, Message, Sampling
from tests.engine_contract import ASK, PATIENCE, Contract, MethodContract
from tests.fault_server import fault_server
from tests.openai_server import openai_server


def answer(asked: Asked) -> str:
    if asked.schema is None:
        return "words"
    fields = asked.schema["properties"]
    if "order" in fields:
        return json.dumps({"order": fields["order"]["items"]["enum"][::-1]})
    return json.dumps({"reasons": [{"item": "A", "cites": ["h1"], "text": "You rated Alien 5 of 5."}]})


def scores(asked: Asked) -> dict[str, float]:
    """Some taste that depends on the question alone."""
    text = "".join(message.content for message in asked.messages)
    return {
        label: -1 - hashlib.sha256((text + label).encode()).digest()[0] / 64 for label in asked.labels or ()
    }


class TestScripted(Contract, MethodContract):
    @pytest.fixture
    async def model(self) -> ChatModel:
        return ScriptedModel(answer, scores)


class TestEndpoint(Contract):
    @pytest.fixture
    async def model(self) -> AsyncIterator[ChatModel]:
        async with fault_server() as server:
            made = OpenAIModel(EndpointConfig(base_url=server.url))
            yield made
            await made.aclose()


class TestLangChain(Contract):
    @pytest.fixture
    async def model(self) -> AsyncIterator[ChatModel]:
        async with fault_server() as server:
            yield LangChainModel(ChatOpenAI(model="local-words", base_url=server.url, api_key="none"))

    async def test_it_is_probed_like_an_endpoint(self, model: ChatModel) -> None:
        found = await model.capabilities(Deadline.after(20))
        assert (found.json_schema, found.logprobs, found.top_logprobs) == (True, True, 4)


class TestLangChainByName(Contract):
    """As whyrec.toml names it."""

    @pytest.fixture
    async def model(self) -> AsyncIterator[ChatModel]:
        async with fault_server() as server:
            config = {"engine": "langchain", "model": "openai:local-words", "base_url": server.url}
            made = make_model(LLMConfig.model_validate({**config, "api_key": "none"}), {})
            assert made is not None
            yield made


class TestEmbedded(Contract, MethodContract):
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


class Thinker(BaseChatModel):
    """A chat model of another provider: no field of OpenAI's, thoughts in blocks of their own."""

    @property
    def _llm_type(self) -> str:
        return "thinker"

    def _generate(self, messages: list[BaseMessage], stop=None, run_manager=None, **kwargs) -> ChatResult:
        blocks = [{"type": "reasoning", "reasoning": "B is better"}, {"type": "text", "text": "B, then A"}]
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=blocks))])


async def test_thoughts_of_a_langchain_model_are_no_part_of_its_answer() -> None:
    reply = await LangChainModel(Thinker()).chat(ASK, sampling=Sampling(8), deadline=Deadline.after(5))
    assert reply.text == "B, then A"


async def test_a_langchain_model_without_schemas_and_log_probabilities_says_so() -> None:
    model = LangChainModel(Thinker())
    found = await model.capabilities(Deadline.after(5))
    assert (found.json_schema, found.logprobs) == (False, False)
    with pytest.raises(ModelError) as failure:
        await model.label_scores([ASK], labels=["A"], deadline=Deadline.after(5))
    assert failure.value.cause == Cause.UNSUPPORTED


@pytest.mark.parametrize("fault", ["hang", "429", "500", "html", "null", "not-json", "no-choices", "reset"])
async def test_what_goes_wrong_below_langchain_has_our_cause(fault: str) -> None:
    async with fault_server() as server:
        server.fault = fault
        chat = ChatOpenAI(model="local-words", base_url=server.url, api_key="none", max_retries=0)
        with pytest.raises(ModelError) as failure:
            await LangChainModel(chat).chat(ASK, sampling=Sampling(8), deadline=Deadline.after(1))
        assert failure.value.cause in set(Cause)


def test_a_langchain_model_may_be_asked_from_one_event_loop_after_another() -> None:
    with openai_server() as server:
        model = LangChainModel(ChatOpenAI(model="reverser-1", base_url=server.url, api_key="none"))
        for _ in range(3):
            asked = model.chat(ASK, sampling=Sampling(8), deadline=Deadline.after(PATIENCE))
            assert asyncio.run(asked).text


def test_a_langchain_provider_that_is_not_installed_is_named_with_its_remedy() -> None:
    config = LLMConfig(engine="langchain", model="anthropic:some-model")
    with pytest.raises(ConfigError, match="langchain-anthropic"):
        make_model(config, {})


def test_vllm_in_an_environment_without_it_names_the_remedy() -> None:
    with pytest.raises(ConfigError, match="whyrec llm environment"):
        make_model(LLMConfig(engine="vllm"), {})
