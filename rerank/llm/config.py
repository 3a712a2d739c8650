"""The [llm] section of whyrec.toml: which language model is asked, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

EngineName = Literal["auto", "openai", "embedded", "vllm", "langchain", "none"]


class EndpointConfig(BaseModel):
    """One OpenAI-compatible endpoint."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str | None = None
    """Its address up to and including /v1; none given: OpenAI's own."""
    api_key: SecretStr | None = None
    """Sent as a bearer token; local servers seldom ask for one."""
    model: str | None = None
    """The model's name as the endpoint serves it; none given: the first one that it lists."""
    concurrency: int = Field(8, ge=1, le=256)
    """Requests to this endpoint that may be under way at the same time."""
    retries: int = Field(2, ge=0, le=10)
    """Further attempts after 429, 5xx or a broken connection, while the deadline allows."""
    context: int | None = Field(None, ge=256)
    """Tokens that prompt and answer may take together; none given: what the endpoint says."""
    characters_per_token: float = Field(3.0, gt=0, le=10)
    """Estimate of prompt tokens where the endpoint has no tokenizer; ideographs count one each."""
    extra_body: dict[str, Any] = {}
    """Further fields of every request, such as { chat_template_kwargs = { enable_thinking = false } }."""

    @field_validator("base_url", "model", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("base_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("an endpoint's address begins with http:// or https://")
        return value.rstrip("/") if value else None


class LLMConfig(EndpointConfig):
    """[llm]: the engine, its first endpoint, and those behind it."""

    engine: EngineName = "auto"
    """auto: `openai` where an endpoint or a key is configured, else `embedded`; none: recall order only.
    vllm: vLLM in this process, for offline batches; langchain: `model` as LangChain's init_chat_model takes
    it, such as "anthropic:NAME"."""
    weights: str = "smollm2-135m-instruct"
    """For `embedded` and `vllm`: a name that `whyrec llm pull` knows, or a GGUF file; `vllm` also takes a
    model's folder or a hub's ORGANISATION/NAME."""
    kv_cache_gb: int = Field(1, ge=1, le=256)
    """For `embedded` and `vllm`: memory for prompts' keys and values, shared prefixes included."""
    tracing: bool = False
    """For `langchain`: whether its tracing (LangSmith) may see prompts and answers, where the environment
    turns it on."""
    fallbacks: tuple[EndpointConfig, ...] = ()
    """Endpoints that are asked in order when the first one fails or its breaker is open."""
    breaker_failures: int = Field(3, ge=1, le=1000)
    """Calls in a row that failed, retries included, after which an endpoint is left alone."""
    breaker_seconds: float = Field(15.0, gt=0)
    """How long it is left alone before one call tries it again."""

    def endpoints(self) -> tuple[EndpointConfig, ...]:
        """The first endpoint, then the fallbacks."""
        first = self.model_dump(include=set(EndpointConfig.model_fields))
        return EndpointConfig(**first), *self.fallbacks


def with_environment(config: LLMConfig, environment: Mapping[str, str]) -> LLMConfig:
    """`config` with OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_MODEL over it; empty variables count as unset.

    A WHYREC_LLM__ variable is more precise than they are, and stays. With engine 'langchain' they are left to
    the provider's own package, which may not be OpenAI's.
    """
    if config.engine == "langchain":
        return config
    given = {
        key: environment[f"OPENAI_{key.upper()}"]
        for key in ("base_url", "api_key", "model")
        if environment.get(f"OPENAI_{key.upper()}") and not environment.get(f"WHYREC_LLM__{key.upper()}")
    }
    if not given:
        return config
    return LLMConfig.model_validate({**dict(config), **given})
