"""`whyrec ingest` killed at any moment leaves the build before it or the finished new one, and no id lost."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from api.migrations import open_migrated
from recall.library import BuildLibrary
from recall.links.ledger import Decision
from recall.store.config import StoreConfig
from recall.store.links import add_decisions, load_ledger
from recall.tables import SCHEMAS
from recall.workspace import Workspace

pytestmark = pytest.mark.long

CONFIG = """
workspace = "workspace"
[merge]
near_seconds = 5
[platforms.cinema]
events = [{path = "cinema/*.csv", columns = {user = "user", item = "film", time = "at"}}]
[platforms.shop]
events = [{path = "shop/*.csv", columns = {user = "user", item = "film", time = "at"}}]
"""
PEOPLE = 40


def write(folder: Path, turn: int) -> None:
    """Files of this turn; each turn changes one and adds one."""
    (folder / "whyrec.toml").write_text(CONFIG)
    for name in ("cinema", "shop"):
        (folder / name).mkdir(exist_ok=True)
        for number in range(turn + 1):
            shift = turn if number == 0 else 0
            rows = [(n % PEOPLE, (n * 7 + number + shift) % 90, 1_000_000 + n * 90) for n in range(5_000)]
            lines = "".join(f"u{user},m{film},{at}\n" for user, film, at in rows)
            (folder / name / f"{number}.csv").write_text("user,film,at\n" + lines)


def ingest(folder: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from api.cli.main import run; run()", "ingest", "--json", *more]
    return subprocess.Popen(
        [*command, "--config", str(folder / "whyrec.toml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def decide(folder: Path, turn: int) -> None:
    """Join two more accounts, so that one person's id goes."""
    decision = Decision("person", "add", ("cinema", f"u{turn}"), ("shop", f"u{turn + PEOPLE // 2}"))
    with open_migrated(StoreConfig().resolve(Workspace(folder / "workspace").store_file)) as store:
        store.run(add_decisions(store, [decision]))


def assert_sound(folder: Path, known: set[str]) -> str:
    """The current build is whole, and every id ever seen leads to a person of it; returns its name."""
    current = Workspace(folder / "workspace").builds.current()
    report = json.loads((current / "report.json").read_text())
    for name in SCHEMAS:
        table = pq.read_table(current / f"{name}.parquet")
        table.validate(full=True)
        assert len(table) == report["tables"][name]
    with open_migrated(StoreConfig().resolve(Workspace(folder / "workspace").store_file)) as store:
        library = BuildLibrary(current, aliases=store.run(load_ledger(store)).aliases)
    for person in known:
        assert library.history(person).events, person
    known.update(pq.read_table(current / "people.parquet")["person"].to_pylist())
    return current.name


def test_a_kill_at_any_moment_leaves_a_whole_build_and_every_id_known(tmp_path: Path) -> None:
    chance, known = random.Random(7), set[str]()
    write(tmp_path, 0)
    started = time.perf_counter()
    assert ingest(tmp_path).wait() == 0
    whole = time.perf_counter() - started
    before, killed = assert_sound(tmp_path, known), 0
    builds = tmp_path / "workspace" / "builds"
    for turn in range(1, 9):
        write(tmp_path, 1 + turn % 2)
        decide(tmp_path, turn)
        process = ingest(tmp_path)
        if turn % 2:  # any moment
            time.sleep(chance.uniform(0.1, 1.0) * whole)
        else:  # the moments around the change of builds
            while process.poll() is None and not list(builds.glob("*.part")):
                time.sleep(0.005)
            while process.poll() is None and list(builds.glob("*.part")) and chance.random() > 0.02:
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.05) * whole)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        names = set(Workspace(tmp_path / "workspace").builds.names())
        current = assert_sound(tmp_path, known)
        assert current == before or current == max(names)
        if turn % 4 == 0:  # the next run tidies up and comes out as if nothing had happened
            done = ingest(tmp_path)
            assert done.wait() == 0, done.stderr
            assert not list(builds.glob("*.part"))
            current = assert_sound(tmp_path, known)
        before = current
    assert killed >= 3
