"""Imports run one way, recall ← prompts ← rerank ← evals ← api, and never in a circle."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("recall", "prompts", "rerank", "evals", "api")
"""Each may import itself and those before it."""

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for room in ROOMS
    for path in sorted((ROOT / room).rglob("*.py"))
}


def _imports(module: str, *, at_load: bool) -> Iterator[str]:
    """Modules named by the import statements of `module`; with `at_load` only those run on loading it."""
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
    todo: list[ast.AST] = [ast.parse(MODULES[module].read_text())]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join([*parts[: len(parts) - node.level + 1], node.module or ""]).rstrip(".")
            source = base if node.level else node.module or ""
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield inner if inner in MODULES else source
        elif at_load and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        elif at_load and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            todo.extend(node.orelse)
        else:
            todo.extend(ast.iter_child_nodes(node))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_itself_and_the_rooms_below_it(room: str) -> None:
    allowed = ROOMS[: ROOMS.index(room) + 1]
    wrong = [
        f"{module} imports {name}"
        for module in MODULES
        if module.split(".")[0] == room
        for name in _imports(module, at_load=False)
        if name.split(".")[0] in ROOMS and name.split(".")[0] not in allowed
    ]
    assert wrong == []


def test_no_module_waits_for_itself_while_it_loads() -> None:
    graph = {
        module: {name for name in _imports(module, at_load=True) if name in MODULES and name != module}
        for module in MODULES
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_modules_stay_small() -> None:
    long = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    assert {name: lines for name, lines in long.items() if lines > 350} == {}


HEAVY = (
    "numpy",
    "scipy",
    "pyarrow",
    "duckdb",
    "ibis",
    "implicit",
    "sqlalchemy",
    "fastapi",
    "openai",
    "httpx",
)


def _loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_the_commands_load_nothing_heavy_until_they_run() -> None:
    loads = "".join(f"import {module}\n" for module in MODULES if module.startswith("api.cli"))
    assert _loaded_by(loads).isdisjoint(HEAVY)


def test_help_answers_in_half_a_second_of_processor_time() -> None:
    def seconds() -> float:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-c", "from api.cli.main import run; run(['--help'])"],
            {**os.environ, "PYTHONPATH": str(ROOT)},
            file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
        )
        _, status, used = os.wait4(pid, 0)
        assert status == 0
        return used.ru_utime + used.ru_stime

    assert min(seconds() for _ in range(3)) < 0.5
