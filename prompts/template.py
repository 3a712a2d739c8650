"""The sandboxed templates of prompts: nothing but placeholders, conditions and a few filters.

Autoescape is off because the output is no HTML; data is made safe before it comes here (rerank/untrusted.py)
and a rendered value is never parsed again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from prompts.slots import Slots
from recall.errors import ConfigError


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    environment.globals.clear()
    environment.filters = {"upper": str.upper, "capitalize": str.capitalize}
    environment.tests = {}
    return environment


ENVIRONMENT = _environment()

_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.If, nodes.Filter, nodes.Const,
    nodes.Not, nodes.And, nodes.Or, nodes.Compare, nodes.Operand, nodes.CondExpr,
)  # fmt: skip


def compile_section(
    source: str, slots: Slots, where: str, first_line: int
) -> tuple[Template, frozenset[str]]:
    """The template and its placeholders. ConfigError names the file and the line of what is wrong.

    `first_line` is the file's line on which `source` begins.
    """
    try:
        tree = ENVIRONMENT.parse(source)
        found = frozenset(_names(tree, slots, where, first_line))
        return ENVIRONMENT.from_string(tree), found
    except TemplateSyntaxError as error:
        raise ConfigError(f"{where}:{first_line + error.lineno - 1}: {error.message}") from error


def _names(tree: nodes.Node, slots: Slots, where: str, first_line: int) -> Iterator[str]:
    todo: list[Any] = [tree]
    while todo:
        node = todo.pop()
        line = first_line + getattr(node, "lineno", 1) - 1
        if not isinstance(node, _ALLOWED):
            kind = type(node).__name__.lower()
            raise ConfigError(f"{where}:{line}: {kind} is not allowed in a prompt; use placeholders and if")
        if isinstance(node, nodes.Name):
            if node.name not in slots.allowed:
                known = ", ".join(sorted(slots.allowed))
                raise ConfigError(f"{where}:{line}: unknown placeholder {node.name!r}; known: {known}")
            yield node.name
        todo.extend(node.iter_child_nodes())
