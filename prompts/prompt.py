"""One version of a prompt: what its front matter says, and its sections ready to render."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from jinja2 import Template
from pydantic import BaseModel, ConfigDict, Field

from recall.errors import ConfigError

Role = Literal["system", "user", "assistant"]
Task = Literal["rank", "reasons", "profile", "links", "extract"]


class FrontMatter(BaseModel):
    """What stands between the two '---' lines of a prompt's file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")
    """Without version and language."""
    version: int = Field(ge=1)
    """Wording that was measured is never changed: new wording is a new file with the next number."""
    task: Task
    """What the answer is for."""
    method: Literal[
        "listwise", "logits", "pointwise", "per-list", "per-item", "profile", "same-work",
        "extract-items", "extract-people",
    ]  # fmt: skip
    """Who sends it and reads the answer."""
    language: Literal["en", "zh"]
    """Of the wording."""
    domain: str = "items"
    """Whose words it uses unless the configuration names another (prompts/domains.yaml)."""
    words: dict[str, str] = {}
    """Words of its own, over the domain's."""
    defaults: dict[str, Any] = {}
    """Values that go with the wording: pointwise and its two answers, the profile it builds on."""
    description: str
    """One line for `whyrec prompts list`."""


@dataclass(frozen=True)
class Prompt:
    """`id` is name.vVERSION.LANGUAGE; `hash` covers the file and the words, `file_hash` the file alone (16
    hex digits each)."""

    name: str
    version: int
    task: Task
    method: str
    language: Literal["en", "zh"]
    domain: str
    description: str
    defaults: Mapping[str, Any]
    hash: str
    file_hash: str
    placeholders: frozenset[str]
    words: Mapping[str, str]
    sections: tuple[tuple[Role, Template], ...] = field(repr=False, compare=False)

    @property
    def id(self) -> str:
        return f"{self.name}.v{self.version}.{self.language}"

    def render(self, **values: str) -> list[tuple[Role, str]]:
        """The messages as (role, text). Values are placed as they are: never read as template or role.

        ConfigError for a placeholder that the prompt needs and that is not given; others are ignored only
        when they belong to the method's slots, which the caller fills alike for every prompt.
        """
        missing = sorted(self.placeholders - values.keys() - self.words.keys())
        if missing:
            raise ConfigError(f"prompt {self.id}: no value for {', '.join(missing)}")
        filled = {**self.words, **values}
        return [(role, template.render(filled).strip()) for role, template in self.sections]

    def bound(self, **values: str) -> Prompt:
        """The same prompt with words replaced; its hash follows."""
        from prompts.load import hash_with

        words = {**self.words, **values}
        return self if words == self.words else replace(self, words=words, hash=hash_with(self.hash, words))
