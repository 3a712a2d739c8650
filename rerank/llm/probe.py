"""What an endpoint can do, found out by asking it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from recall.errors import ModelError
from rerank.types import Capabilities, Cause, ChatModel, Deadline, Message, Sampling

if TYPE_CHECKING:
    from rerank.llm.openai import OpenAIModel

QUESTION = (Message("user", "What is the capital of France? Answer in one word."),)
_SCHEMA = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["teal", "ochre"]}},
    "required": ["colour"],
    "additionalProperties": False,
}
"""Nothing that a model would answer to the question unless the schema is enforced."""

_PASSING = frozenset({Cause.UNSUPPORTED, Cause.BAD_REQUEST, Cause.TRUNCATED, Cause.BAD_REPLY})


async def probe_endpoint(model: OpenAIModel, deadline: Deadline) -> Capabilities:
    """Asks for the list of models, a schema-bound answer, one token's alternatives (free, then bound
    to labels) and a token count.

    ModelError when the endpoint can't be reached at all, or does not serve the configured model.
    """
    listed = await model.models(deadline)
    name = model.config.model or listed[0]["id"]
    row = next((each for each in listed if each["id"] == name), None)
    if row is None:
        served = ", ".join(each["id"] for each in listed[:8])
        raise ModelError(f"{model.address} does not serve {name!r}; it serves {served}", Cause.BAD_REQUEST)
    length = row.get("max_model_len")
    schema = await enforces_schema(model, deadline)
    top = await _alternatives(model, deadline)
    return Capabilities(
        name,
        context=model.config.context or (length if isinstance(length, int) else None),
        json_schema=schema,
        logprobs=top > 0,
        top_logprobs=top,
        tokenizer=await model.tokenize(QUESTION, deadline) is not None,
        models=tuple(each["id"] for each in listed[:50]),
        masks=top > 0 and await _masks(model, deadline),
    )


async def enforces_schema(model: ChatModel, deadline: Deadline) -> bool:
    """Whether an answer that nobody would give freely comes where a schema asks for it."""
    try:
        reply = await model.chat(QUESTION, sampling=Sampling(64), deadline=deadline, schema=_SCHEMA)
        value = json.loads(reply.text)
    except ModelError as error:
        if error.cause in _PASSING:
            return False
        raise
    except ValueError:
        return False
    return isinstance(value, dict) and value.get("colour") in ("teal", "ochre")


async def _alternatives(model: OpenAIModel, deadline: Deadline) -> int:
    """How many alternatives come back for one token; 0 where none do."""
    try:
        return await model.alternatives(QUESTION, deadline)
    except ModelError as error:
        if error.cause in _PASSING:
            return 0
        raise


async def _masks(model: OpenAIModel, deadline: Deadline) -> bool:
    try:
        return await model.masks(QUESTION, ("J", "Q"), deadline)
    except ModelError as error:
        if error.cause in _PASSING:
            return False
        raise
