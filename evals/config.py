"""An evaluation as it is declared in TOML: which cases, which arms, which models."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from recall.errors import ConfigError
from rerank.llm.config import LLMConfig

Fixed = Literal["random", "popular", "als", "recall", "oracle"]

FIXED: tuple[Fixed, ...] = ("random", "popular", "als", "recall", "oracle")
"""Rows that no model makes, all over the same frozen lists: a seeded shuffle, order by popularity on the
platform, by plain ALS, the fitted blend as recall gives it (the row to beat), and the target first."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CasesConfig(_Section):
    """[cases]: what is held out, who takes part, what is ranked."""

    split: Literal["time", "last"] = "time"
    """time: all events from one moment on are held out; last: each person's last like (others' later events
    may train)."""
    cut: float = Field(0.9, gt=0, lt=1)
    """For `time`: the share of all events, oldest first, that may be learnt from."""
    moment: int | None = None
    """For `time`: UTC seconds of the cut, instead of a share."""
    target: Literal["last", "next"] = "last"
    """For `time`: the last like after the cut, or the next one."""
    people: int = Field(300, ge=1)
    """At most so many, drawn by strata of history length and number of platforms."""
    candidates: int = Field(20, ge=2, le=1000)
    """Length of the frozen lists."""
    ask: Literal["covered", "all"] = "covered"
    """Whether models are asked only where the target is among the candidates; elsewhere every order of the
    list scores 0 alike."""
    platforms: tuple[str, ...] = ()
    """Only targets on these platforms; empty: on any."""
    masks: bool = True
    """Whether items had on other platforms are left out of the lists."""
    seed: int = 0
    """Of ties in time and of the draw of people."""
    wishes: Path | None = None
    """JSON lines {"person": id, "wish": text}, relative to the configuration's folder."""


class ArmConfig(_Section):
    """[[arms]]: one way to rank, or several where `grid` lists values."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._+-]{0,79}$")
    method: Literal["listwise", "logits", "pointwise", "keep-order"] = "listwise"
    prompt: str | None = None
    """A prompt's name or file; none: the method's plain one."""
    model: str = "default"
    """A table under [models], or `default`: what [llm] of whyrec.toml names."""
    weight: float = Field(1.0, ge=0, le=1)
    """Share of the model's order in the final one; 1 measures the model alone."""
    rank: dict[str, Any] = {}
    """Further keys of [rank]."""
    knowledge: dict[str, Any] = {}
    """Keys of [knowledge]: facts_in_prompts, profile, facts_in_reasons, open_world, floor. A profile is read
    by the arm's model out of the case's own history, one call more for each case."""
    reasons: bool | dict[str, Any] = False
    """Whether reasons are written too, for the first `shown`; a table gives keys of [reasons]."""
    shown: int = Field(5, ge=1, le=100)
    repeats: int = Field(1, ge=1, le=50)
    """How often every case is asked."""
    shuffle: bool = False
    """Show the candidates in a seeded random order, another one for each repeat."""
    rename: bool = False
    """Show made-up titles instead of the real ones: what is left is not remembered from training texts."""
    deadline: float = Field(600.0, gt=0)
    """Seconds for one case."""
    grid: dict[str, list[Any]] = {}
    """Key of the arm, rank.KEY or knowledge.KEY → values; one arm for each combination, named after its
    values."""

    @field_validator("rank")
    @classmethod
    def _own_keys(cls, rank: dict[str, Any]) -> dict[str, Any]:
        for key in ("method", "prompt", "weight", "deadline"):
            if key in rank:
                raise ValueError(f"{key} is a key of the arm itself, not of its table `rank`")
        return rank


class EvalConfig(_Section):
    """The whole file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,59}$")
    """Of the run's folder under the workspace."""
    description: str = ""
    cases: CasesConfig = CasesConfig()
    fixed: tuple[Fixed, ...] = FIXED
    arms: tuple[ArmConfig, ...] = ()
    models: dict[str, LLMConfig] = {}
    """Further models, each as [llm] of whyrec.toml. Keys belong into the environment, not here."""
    prices: Path | None = None
    """Price file, relative to this file's folder; none: [llm] prices of whyrec.toml."""
    concurrency: int = Field(4, ge=1, le=256)
    """Cases that are asked at the same time."""
    seed: int = 0
    """Of shuffles, draws and resampling."""

    @field_validator("models", mode="before")
    @classmethod
    def _no_keys(cls, models: Any) -> Any:
        if isinstance(models, dict):
            for name, table in models.items():
                if isinstance(table, dict) and table.get("api_key"):
                    raise ValueError(
                        f"models.{name}.api_key: put the key into OPENAI_API_KEY, runs record this file"
                    )
        return models

    @property
    def hash(self) -> str:
        """Of everything that decides what is asked: arms, cases, models, seed."""
        said = self.model_dump(mode="json", exclude={"description", "concurrency", "prices"})
        for arm in said["arms"]:
            if not arm["knowledge"]:
                del arm["knowledge"]  # as before there was any
            if (arm["prompt"] or "").endswith(".md"):
                text = Path(arm["prompt"]).read_bytes()
                arm["prompt"] = f"{Path(arm['prompt']).name} {hashlib.sha256(text).hexdigest()}"
        if self.cases.wishes is not None:
            said["cases"]["wishes"] = hashlib.sha256(self.cases.wishes.read_bytes()).hexdigest()
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def load_config(path: Path) -> EvalConfig:
    """ConfigError names file, key and remedy."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; `whyrec eval example` prints one to begin with") from error
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML in UTF-8: {error}") from error
    try:
        config = EvalConfig.model_validate(values)
    except ValidationError as error:
        told = [
            f"{path}: {'.'.join(map(str, one['loc']))}: {one['msg']}"
            for one in error.errors(include_url=False, include_context=False)
        ]
        raise ConfigError("\n".join(told)) from error
    near = path.resolve().parent
    cases = config.cases
    if cases.wishes is not None:
        cases = cases.model_copy(update={"wishes": near / cases.wishes})
    prices = near / config.prices if config.prices is not None else None
    arms = tuple(_near(arm, near) for arm in config.arms)
    return config.model_copy(update={"cases": cases, "prices": prices, "arms": arms})


def _near(arm: ArmConfig, folder: Path) -> ArmConfig:
    """Prompt files are relative to the configuration's folder. ConfigError for one that is not there."""
    if arm.prompt is None or not arm.prompt.endswith(".md"):
        return arm
    path = folder / arm.prompt
    if not path.is_file():
        raise ConfigError(f"arm {arm.name!r}: prompt {path}: no such file")
    return arm.model_copy(update={"prompt": str(path)})
