"""Everything that is configured: whyrec.toml and the environment, composed from each room's own section.

A variable KEY_FILE stands for KEY with that file's text (api/secret_files.py).
Precedence, highest first: WHYREC_SECTION__KEY, OPENAI_BASE_URL / OPENAI_API_KEY / OPENAI_MODEL, the file,
the defaults. An empty variable counts as unset. Relative paths are relative to the file's folder.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from api.scenario_config import ExperimentConfig, ScenarioConfig
from api.secret_files import read_secret_files
from api.security import SecurityConfig
from recall.config import MergeConfig, PlatformConfig, check_platform_names
from recall.consent import ConsentConfig
from recall.errors import ConfigError
from recall.links.config import LinksConfig
from recall.recall_config import RecallConfig
from recall.store.config import StoreConfig
from recall.train_config import TrainConfig
from rerank.config import RankConfig, ReasonsConfig
from rerank.knowledge.config import KnowledgeConfig
from rerank.llm.config import LLMConfig
from rerank.llm.limits_config import BudgetConfig, CacheConfig
from rerank.promoted import with_promoted

DEFAULT_FILE = Path("whyrec.toml")
_PREFIX = "WHYREC_"
_SECRET = re.compile(r"key|password|secret|token|salt", re.IGNORECASE)
_CREDENTIALS = re.compile(r"://[^/@\s]*@")


class ServeConfig(BaseModel):
    """[serve]: the HTTP service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    """Address to listen on; the default is reached from this machine only."""
    port: int = Field(8080, ge=0, le=65535)
    """TCP port; 0 takes a free one and prints it."""
    workers: int = Field(1, ge=1, le=256)
    """Serving processes. Each holds the build's events and items; the artefact's factors are shared."""
    max_body_bytes: int = Field(1_000_000, ge=1)
    """Larger request bodies are answered with 413 before they are read."""


class TracesConfig(BaseModel):
    """[traces]: where spans go."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    exporter: Literal["none", "console", "otlp"] = "none"
    """otlp: over HTTP, to `endpoint` (extra `traces`); console: on stdout, to look at."""
    endpoint: str = "http://localhost:4318/v1/traces"
    """For `otlp`."""
    share: float = Field(1.0, ge=0, le=1)
    """Part of the requests that are traced, where the caller's own trace does not decide."""


class Settings(BaseSettings):
    """One field per section; each section's model lives in the room that reads it."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_nested_delimiter="__", env_ignore_empty=True, extra="forbid", frozen=True
    )

    workspace: Path = Path("workspace")
    """Folder of builds, artefacts and the SQLite store (recall/workspace.py); absolute once loaded."""
    platforms: dict[str, PlatformConfig] = {}
    links: LinksConfig = LinksConfig()
    consent: ConsentConfig = ConsentConfig()
    merge: MergeConfig = MergeConfig()
    train: TrainConfig = TrainConfig()
    recall: RecallConfig = RecallConfig()
    store: StoreConfig = StoreConfig()
    llm: LLMConfig = LLMConfig()
    cache: CacheConfig = CacheConfig()
    budget: BudgetConfig = BudgetConfig()
    rank: RankConfig = RankConfig()
    reasons: ReasonsConfig = ReasonsConfig()
    knowledge: KnowledgeConfig = KnowledgeConfig()
    serve: ServeConfig = ServeConfig()
    security: SecurityConfig = SecurityConfig()
    scenarios: dict[str, ScenarioConfig] = {}
    experiments: dict[str, ExperimentConfig] = {}
    traces: TracesConfig = TracesConfig()

    _root: Path = PrivateAttr(default_factory=Path.cwd)

    @field_validator("platforms")
    @classmethod
    def _named(cls, platforms: dict[str, PlatformConfig]) -> dict[str, PlatformConfig]:
        return check_platform_names(platforms)

    @property
    def root(self) -> Path:
        """The folder that relative paths are relative to: the file's."""
        return self._root

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment before the file (which arrives as init values); nothing else is read."""
        return env_settings, init_settings


def file_of(path: Path | None) -> Path:
    """The file that is read: the one that was named, $WHYREC_CONFIG or ./whyrec.toml."""
    return path or Path(os.environ.get("WHYREC_CONFIG") or DEFAULT_FILE)


def load_settings(path: Path | None = None, *, required: bool = True) -> Settings:
    """Settings of the file at `path` (None: $WHYREC_CONFIG or ./whyrec.toml) and the environment.

    With `required=False` a missing ./whyrec.toml means defaults, with the working folder as the root; a
    file that was named must exist. ConfigError names file, key, value and remedy.
    """
    read_secret_files(os.environ, _sets_a_key)
    file = file_of(path)
    if not required and file == DEFAULT_FILE and not file.exists():
        values: dict[str, Any] = {}
    else:
        values = _read(file)
    _check_variables(os.environ)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise ConfigError(_explain(error, file)) from error
    except SettingsError as error:
        raise ConfigError(f"environment: {error}; give one key each, as WHYREC_SECTION__KEY=value") from error
    root = file.resolve().parent
    changed: dict[str, Any] = {"workspace": (root / settings.workspace.expanduser()).resolve()}
    if settings.budget.prices is not None:
        prices = (root / settings.budget.prices.expanduser()).resolve()
        changed["budget"] = settings.budget.model_copy(update={"prices": prices})
    changed["rank"] = with_promoted(settings.rank, changed["workspace"])
    settings = settings.model_copy(update=changed)
    settings._root = root
    return settings


def _sets_a_key(variable: str) -> bool:
    if not variable.upper().startswith(_PREFIX):
        return False
    *above, key = variable[len(_PREFIX) :].lower().split("__")
    return key in _known(tuple(above))


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"{file}: no such file; name yours with --config or WHYREC_CONFIG, "
            "or let `whyrec data sample DIR` write one with sample data"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not TOML in UTF-8: {error}") from error
    except OSError as error:
        raise ConfigError(f"{file}: can't be read: {error.strerror}") from error


def _check_variables(environment: Mapping[str, str]) -> None:
    """A misspelt section in the environment would otherwise be ignored silently."""
    for name in environment:
        if name.upper().startswith(_PREFIX) and "__" in name:
            section = name[len(_PREFIX) :].split("__", 1)[0].lower()
            if section not in Settings.model_fields:
                raise ConfigError(f"{name}: no section {section!r}{_near(section, Settings.model_fields)}")


def _explain(error: ValidationError, file: Path) -> str:
    """Every wrong key on a line of its own: where it was set, what it holds, what is allowed."""
    lines = []
    for problem in error.errors(include_url=False, include_context=False):
        location = tuple(str(part) for part in problem["loc"])
        key = ".".join(location)
        where = _origin(location, file)
        if problem["type"] == "extra_forbidden":
            known = _known(location[:-1])
            lines.append(f"{where}: no key {key!r}{_near(location[-1], known)}")
        elif problem["type"] == "missing":
            lines.append(f"{where}: {key!r} is missing")
        elif isinstance(problem["input"], dict | list):  # may hold secrets anywhere inside
            lines.append(f"{where}: {key}: {problem['msg']}")
        else:
            lines.append(f"{where}: {key} = {_shown(key, problem['input'])}: {problem['msg']}")
    return "\n".join(lines)


def _origin(location: tuple[str, ...], file: Path) -> str:
    """The variable that set this key or a part of it, else the file."""
    for length in range(len(location), 0, -1):
        name = _PREFIX + "__".join(location[:length]).upper()
        if os.environ.get(name):
            return name
    return str(file)


def hidden(key: str, value: Any) -> Any:
    """`value` where it may be shown: no secret, and no password in an address."""
    if _SECRET.search(key.rpartition(".")[2]) and isinstance(value, str) and value:
        return "(hidden)"
    return _CREDENTIALS.sub("://(hidden)@", value) if isinstance(value, str) else value


def _shown(key: str, value: object) -> str:
    text = repr(hidden(key, value))
    return text if len(text) <= 80 else text[:77] + "…"


def _known(location: tuple[str, ...]) -> list[str]:
    """Keys that the table at `location` takes; empty where it takes any."""
    kind: Any = Settings
    for part in location:
        if _is_model(kind):
            field = kind.model_fields.get(part)
            kind = field.annotation if field else None
        else:
            kind = (get_args(kind) or (None,))[0 if get_origin(kind) is tuple else -1]
        options = [each for each in get_args(kind) if _is_model(each)] if not _is_model(kind) else []
        if get_origin(kind) in (Union, UnionType) and options:
            kind = options[0]
    return list(kind.model_fields) if _is_model(kind) else []


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _near(name: str, known: Mapping[str, Any] | list[str]) -> str:
    """A remedy for a misspelling: the nearest known name, else all of them."""
    match = difflib.get_close_matches(name, list(known), n=1)
    if match:
        return f"; did you mean {match[0]!r}?"
    return f"; known: {', '.join(known)}" if known else "; remove it"
