"""The engines' contract on vLLM in this process. Run inside vLLM's own environment, with whyrec beside it:

WHYREC_TEST_WEIGHTS=FILE.gguf python -m pytest --noconftest -p no:cacheprovider tests/vllm_contract.py
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from recall.errors import ModelError
from rerank.llm import LLMConfig, make_model
from rerank.types import Cause, ChatModel, Deadline, Message, Sampling
from tests.engine_contract import ASK, Contract, MethodContract


@pytest.fixture(scope="module")
def loaded() -> Iterator[ChatModel]:
    """As whyrec.toml names it, loaded once."""
    made = make_model(LLMConfig(engine="vllm", weights=os.environ["WHYREC_TEST_WEIGHTS"], context=2048), {})
    assert made is not None
    asyncio.run(made.capabilities(Deadline.after(400)))
    yield made
    asyncio.run(made.aclose())


class TestVLLM(Contract, MethodContract):
    @pytest.fixture
    async def model(self, loaded: ChatModel) -> ChatModel:
        return loaded

    async def test_a_prompt_longer_than_the_context_is_refused(self, model: ChatModel) -> None:
        with pytest.raises(ModelError) as failure:
            await model.chat(
                [Message("user", "word " * 3000)], sampling=Sampling(5), deadline=Deadline.after(20)
            )
        assert failure.value.cause == Cause.CONTEXT

    async def test_a_schema_that_is_none_fails_alone(self, model: ChatModel) -> None:
        with pytest.raises(ModelError):
            await model.chat(ASK, sampling=Sampling(5), deadline=Deadline.after(20), schema={"type": "objct"})
        assert (await model.chat(ASK, sampling=Sampling(5), deadline=Deadline.after(20))).text

    async def test_labels_of_several_tokens_are_unsupported(self, model: ChatModel) -> None:
        with pytest.raises(ModelError) as failure:
            await model.label_scores([ASK], labels=["QXZQ", "ZZQX"], deadline=Deadline.after(20))
        assert failure.value.cause == Cause.UNSUPPORTED

    async def test_a_batch_shares_its_prefix(self, model: ChatModel) -> None:
        prefix = "The history of this person: " + "a film about ships and the sea, " * 60
        prompts = [[Message("user", f"{prefix} And film {n}?")] for n in range(20)]
        found = await model.label_scores(prompts, labels=["A", "B"], deadline=Deadline.after(60))
        assert all(scores.usage.cached > scores.usage.prompt / 2 for scores in found[1:])
