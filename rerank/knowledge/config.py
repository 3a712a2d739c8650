"""The [knowledge] section of whyrec.toml: what is extracted, and what is done with it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class KnowledgeConfig(BaseModel):
    """[knowledge]: facts about items and statements about people, and where they count."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    domain: str | None = None
    """Whose schema items are read by: films, shop, music, posts, courses or items; none given: the domain of
    the platform that lists the item."""
    language: Literal["en", "zh"] = "en"
    """Of facts and statements: one for all, so that they can be compared."""
    open_world: bool = True
    """Whether facts from the model's memory count, which no text of the item states."""
    floor: float = Field(0.5, ge=0, le=1)
    """Facts with less confidence are not used."""
    facts_in_prompts: int = Field(0, ge=0, le=20)
    """Facts shown for each candidate; 0 shows none."""
    profile: Literal["off", "beside", "instead"] = "off"
    """Whether a person's extracted profile is shown to the ranking model, beside the history or instead."""
    facts_in_reasons: bool = True
    """Whether reasons may rest on facts that the item shares with something in the history."""
    concurrency: int = Field(4, ge=1, le=256)
    """Extractions that run at the same time."""
    max_tokens: int = Field(400, ge=50, le=4000)
    """Tokens that one extraction may take in the answer."""
    refresh_events: int = Field(5, ge=1)
    """A person's profile is extracted again after so many new events."""
    embeddings_url: str = ""
    """OpenAI-compatible endpoint, up to and including /v1, whose /embeddings turns item text into vectors;
    none: TF-IDF in this process."""
    embeddings_model: str = ""
    """The model's name there."""
    embeddings_key: SecretStr = SecretStr("")
    """Sent to it as a bearer token."""
    embeddings_batch: int = Field(64, ge=1, le=2048)
    """Texts in one request for embeddings."""

    @field_validator("embeddings_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("an endpoint's address begins with http:// or https://")
        return value.rstrip("/")
