"""Language models: one protocol (rerank.types.ChatModel), a visible table of engines."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from recall.errors import ConfigError
from rerank.llm.config import EndpointConfig, LLMConfig, with_environment
from rerank.types import ChatModel

__all__ = ["ENGINES", "EndpointConfig", "LLMConfig", "choose_engine", "make_model", "with_environment"]


def _openai(config: LLMConfig) -> ChatModel:
    from rerank.llm.breaker import Breaker, Guarded
    from rerank.llm.fallback import Fallback
    from rerank.llm.openai import OpenAIModel

    guarded: list[ChatModel] = [
        Guarded(OpenAIModel(endpoint), Breaker(config.breaker_failures, config.breaker_seconds))
        for endpoint in config.endpoints()
    ]
    return guarded[0] if len(guarded) == 1 else Fallback(guarded)


def _embedded(config: LLMConfig) -> ChatModel:
    from rerank.llm.embedded import EmbeddedModel
    from rerank.llm.weights import find_weights

    return EmbeddedModel(find_weights(config.weights), context=config.context, kv_cache_gb=config.kv_cache_gb)


def _vllm(config: LLMConfig) -> ChatModel:
    from rerank.llm.vllm import VLLMModel

    return VLLMModel(config.weights, context=config.context, kv_cache_gb=config.kv_cache_gb)


def _langchain(config: LLMConfig) -> ChatModel:
    from rerank.integrations.langchain_model import configured

    return configured(config)


ENGINES: Mapping[str, Callable[[LLMConfig], ChatModel]] = {
    "openai": _openai,
    "embedded": _embedded,
    "vllm": _vllm,
    "langchain": _langchain,
}
"""How each engine is made. Its library is imported on use."""


def choose_engine(config: LLMConfig) -> str:
    """As configured; with `auto`, `openai` where an endpoint or a key is set, else `embedded`."""
    if config.engine != "auto":
        return config.engine
    return "openai" if config.base_url or config.api_key else "embedded"


def make_model(config: LLMConfig, environment: Mapping[str, str] | None = None) -> ChatModel | None:
    """The configured model, not yet connected or loaded; None for engine 'none'.

    `environment` (default: this process's) may name an endpoint: OPENAI_BASE_URL, OPENAI_API_KEY,
    OPENAI_MODEL. MissingExtra when the engine's library is not installed; NotFound when the weights were
    not pulled; ConfigError for what can't be used. Each says the remedy.
    """
    config = with_environment(config, os.environ if environment is None else environment)
    engine = choose_engine(config)
    if engine == "none":
        return None
    if engine not in ENGINES:
        raise ConfigError(f"[llm] engine {engine!r}: known are {', '.join(ENGINES)} and none")
    return ENGINES[engine](config)
