"""Finding a prompt by name and reading its file once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import cast

import yaml
from jinja2 import Template
from pydantic import ValidationError

from prompts.prompt import FrontMatter, Prompt, Role
from prompts.slots import SLOTS, WORDS
from prompts.template import compile_section
from recall.errors import ConfigError, NotFound

FOLDER = Path(__file__).parent / "texts"
DOMAINS = Path(__file__).parent / "domains.yaml"

_FILE = re.compile(r"(?P<name>[a-z][a-z0-9-]*)\.v(?P<version>\d+)\.(?P<language>en|zh)\.md")
_NAME = re.compile(r"(?P<name>[a-z][a-z0-9-]*)(?:\.v(?P<version>\d+))?(?:\.(?P<language>en|zh))?")
_SECTION = re.compile(r"^=== (system|user|assistant)[ \t]*$", re.MULTILINE)


def names() -> list[str]:
    """Ids of all prompts that come with whyrec, sorted: name.vVERSION.LANGUAGE."""
    return sorted(path.name.removesuffix(".md") for path in FOLDER.glob("*.md"))


def load(
    name: str,
    *,
    language: str = "en",
    domain: str | None = None,
    words: Mapping[str, str] | None = None,
) -> Prompt:
    """The prompt called `name`: 'listwise', 'listwise.v1', 'listwise.v1.zh', or a path that ends in .md.

    Without a version the newest; a language in the name wins over `language`. `domain` (prompts/domains.yaml)
    and `words` replace the front matter's. NotFound lists what there is; ConfigError names file and line.
    """
    path = Path(name) if name.endswith(".md") else _find(name, language)
    if not path.is_file():
        raise NotFound(f"prompt {name!r}: no such file")
    prompt = _read(path.resolve())
    own = {} if domain is None else domain_words(domain, prompt.language)
    return prompt.bound(**own | _checked(words or {}))


def source(name: str, *, language: str = "en") -> str:
    """The text of a prompt's file; NotFound as `load`."""
    path = Path(name) if name.endswith(".md") else _find(name, language)
    if not path.is_file():
        raise NotFound(f"prompt {name!r}: no such file")
    return path.read_text(encoding="utf-8")


def domain_words(domain: str, language: str) -> dict[str, str]:
    """The words of a domain: item, items, chose, domain. An unknown domain is taken as its own plural."""
    known = _domains()
    table = known.get(domain) or known["items"]
    found = dict(table[language])
    found["domain"] = found["items"] if domain in known else domain
    return found


def hash_with(content: str, words: Mapping[str, str]) -> str:
    """Hash of a prompt whose words were replaced."""
    return hashlib.sha256((content + json.dumps(dict(words), sort_keys=True)).encode()).hexdigest()[:16]


def _checked(words: Mapping[str, str]) -> dict[str, str]:
    unknown = sorted(words.keys() - WORDS)
    if unknown:
        raise ConfigError(f"words.{unknown[0]}: no such word; prompts use {', '.join(sorted(WORDS))}")
    return dict(words)


def _find(name: str, language: str) -> Path:
    wanted = _NAME.fullmatch(name)
    found = []
    for path in FOLDER.glob("*.md") if wanted else ():
        match = _FILE.fullmatch(path.name)
        if (
            wanted
            and match
            and match["name"] == wanted["name"]
            and match["language"] == (wanted["language"] or language)
            and wanted["version"] in (None, match["version"])
        ):
            found.append((int(match["version"]), path))
    if not found:
        raise NotFound(f"prompt {name!r} ({language}): none such; `whyrec prompts list` shows {len(names())}")
    return max(found)[1]


@lru_cache
def _domains() -> dict[str, dict[str, dict[str, str]]]:
    return cast(dict[str, dict[str, dict[str, str]]], yaml.safe_load(DOMAINS.read_text(encoding="utf-8")))


@lru_cache
def _read(path: Path) -> Prompt:
    text = path.read_text(encoding="utf-8").replace("\r\n", "\n")
    head, body, body_line = _split(text, path)
    slots = SLOTS[head.method]
    sections: list[tuple[Role, Template]] = []
    used: set[str] = set()
    marks = list(_SECTION.finditer(body))
    if not marks or body[: marks[0].start()].strip():
        raise ConfigError(f"{path}:{body_line}: a prompt begins with '=== system' or '=== user'")
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        source = body[mark.end() : after.start() if after else len(body)]
        line = body_line + body.count("\n", 0, mark.end())
        template, found = compile_section(source, slots, str(path), line)
        sections.append((cast(Role, mark[1]), template))
        used |= found
    missing = sorted(slots.required - used)
    if missing:
        raise ConfigError(
            f"{path}:{body_line}: a {head.method} prompt needs the placeholder {{{{ {missing[0]} }}}}"
        )
    words = domain_words(head.domain, head.language) | _checked(head.words)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Prompt(
        name=head.name,
        version=head.version,
        task=head.task,
        method=head.method,
        language=head.language,
        domain=head.domain,
        description=head.description,
        defaults=head.defaults,
        hash=hash_with(digest, words),
        file_hash=digest[:16],
        placeholders=frozenset(used),
        words=words,
        sections=tuple(sections),
    )


def _split(text: str, path: Path) -> tuple[FrontMatter, str, int]:
    """Front matter, body, and the file's line on which the body begins."""
    parts = text.split("\n---\n", 1)
    if not text.startswith("---\n") or len(parts) != 2:
        raise ConfigError(f"{path}:1: a prompt begins with front matter between two '---' lines")
    try:
        head = FrontMatter.model_validate(yaml.safe_load(parts[0][4:]))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: front matter: {error.problem}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        lines = parts[0].split("\n")
        line = next((n for n, row in enumerate(lines, 1) if row.startswith(f"{key.split('.')[0]}:")), 1)
        raise ConfigError(f"{path}:{line}: front matter: {key}: {first['msg']}") from error
    return head, parts[1], parts[0].count("\n") + 3
