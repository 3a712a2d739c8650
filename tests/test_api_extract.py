"""`whyrec extract` and `whyrec knowledge`, against a real server: incremental, killed, resumed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from api.migrations import open_migrated
from recall.store.items import LiveItem, put_items
from rerank.knowledge.store import extracted, load_facts
from tests.openai_server import Running, openai_server
from tests.whole import FILMS, whyrec, write_platforms

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tests/whole.py's two platforms, ingested; nothing is trained: knowledge may come before."""
    config = write_platforms(tmp_path_factory.mktemp("merged"))
    assert whyrec("ingest", "--config", config).exit_code == 0
    return config


@pytest.fixture
def config(merged: Path, tmp_path: Path) -> Path:
    shutil.copytree(merged.parent, tmp_path / "copy")
    return tmp_path / "copy" / merged.name


def known(config: Path) -> tuple[int, int]:
    """Items that were settled, and facts."""
    with open_migrated(f"sqlite:///{config.parent / 'workspace' / 'whyrec.db'}") as store:
        settled = store.run(extracted(store, "item"))
        return len(settled), sum(map(len, store.run(load_facts(store)).values()))


def test_items_are_read_once_and_a_changed_one_again(config: Path) -> None:
    with openai_server() as server:
        endpoint = {"OPENAI_BASE_URL": server.url}
        first = whyrec("extract", "items", "--json", "--config", config, **endpoint)
        assert first.exit_code == 0, first.stderr
        said = json.loads(first.stdout)
        assert (said["done"], said["skipped"], said["calls"]) == (len(FILMS), 0, len(FILMS))
        assert known(config) == (len(FILMS), 2 * len(FILMS))
        again = json.loads(whyrec("extract", "items", "--json", "--config", config, **endpoint).stdout)
        assert (again["done"], again["skipped"], again["calls"]) == (0, len(FILMS), 0)

        films = config.parent / "films.csv"
        films.write_text(films.read_text().replace("Film C,1982,Horror", "Film C,1982,Western"))
        assert whyrec("ingest", "--config", config).exit_code == 0
        changed = json.loads(whyrec("extract", "items", "--json", "--config", config, **endpoint).stdout)
        assert (changed["done"], changed["skipped"], changed["calls"]) == (1, len(FILMS) - 1, 1)
        asked = [one["body"]["messages"][-1]["content"] for one in server.requests() if "chat" in one["path"]]
        assert 'title: "Film C"' in asked[-1] and '"Western"' in asked[-1]
        assert not any("c2" in text or "s2" in text for text in asked), "no platform id reaches a model"


def test_an_item_that_came_in_live_is_read_first_and_without_an_ingest(config: Path) -> None:
    new = LiveItem("cinema", "c99", "Brand New", 2026, categories=("Mystery",))
    with open_migrated(f"sqlite:///{config.parent / 'workspace' / 'whyrec.db'}") as store:
        store.run(put_items(store, [new]))
    with openai_server() as server:
        read = whyrec("extract", "items", "--limit", "1", "--config", config, OPENAI_BASE_URL=server.url)
    assert read.exit_code == 0, read.stderr
    shown = whyrec("knowledge", "show", "cinema:c99", "--config", config)
    assert "mystery" in shown.stdout and "categories" in shown.stdout


def test_what_was_read_is_shown_exported_and_forgotten(config: Path) -> None:
    with openai_server() as server:
        read = whyrec(
            "extract", "items", "--item", "cinema:c0", "--config", config, OPENAI_BASE_URL=server.url
        )
    assert read.exit_code == 0 and "1 items read" in read.stdout
    shown = whyrec("knowledge", "show", "shop:s0", "--config", config)  # the same film's other listing
    assert shown.exit_code == 0 and "slow-burn tension" in shown.stdout and "model" in shown.stdout
    as_json = json.loads(whyrec("knowledge", "show", "cinema:c0", "--json", "--config", config).stdout)
    assert {fact["source"] for fact in as_json["facts"]} == {"categories", "model"}
    by_id = json.loads(whyrec("knowledge", "show", as_json["id"], "--json", "--config", config).stdout)
    assert by_id == as_json
    counts = json.loads(whyrec("knowledge", "show", "--json", "--config", config).stdout)
    assert counts["items"] == {"done": 1} and counts["facts"] == {"mood": 1, "theme": 1}
    rows = [
        json.loads(line) for line in whyrec("knowledge", "export", "--config", config).stdout.splitlines()
    ]
    assert [(row["about"], row["kind"]) for row in rows] == [("item", "mood"), ("item", "theme")]
    unknown = whyrec("knowledge", "show", "cinema:c1", "--config", config)
    assert unknown.exit_code == 1 and "whyrec extract items" in unknown.stderr
    gone = whyrec("knowledge", "forget", "shop:s0", "--config", config)
    assert gone.exit_code == 0 and known(config) == (0, 0)
    assert whyrec("knowledge", "forget", "--config", config).exit_code == 2


def test_what_was_read_about_a_person_is_shown_and_forgotten(config: Path) -> None:
    from rerank.knowledge.store import save_profile
    from rerank.knowledge.types import Profile, Statement

    account = whyrec("links", "show", "cinema:u1", "--json", "--config", config)
    person = json.loads(account.stdout)["links"][0]["target"]
    said = Statement("habit", "You watch Horror films on cinema.", ("e1", "e2"), 0.75, "cinema")
    with open_migrated(f"sqlite:///{config.parent / 'workspace' / 'whyrec.db'}") as store:
        assert store.run(save_profile(store, Profile(person, (said,), "m", "p", int(time.time())), "in"))
    shown = whyrec("knowledge", "show", "cinema:u1", "--person", "--config", config)
    assert shown.exit_code == 0 and "Horror films" in shown.stdout and "2 events" in shown.stdout
    rows = whyrec("knowledge", "export", "--what", "people", "--config", config).stdout.splitlines()
    assert [json.loads(row)["events"] for row in rows] == [["e1", "e2"]]
    assert whyrec("knowledge", "export", "--config", config).stdout == "", "people only when asked for"
    assert whyrec("knowledge", "forget", person, "--person", "--config", config).exit_code == 0
    assert whyrec("knowledge", "show", person, "--person", "--config", config).exit_code == 1


def test_money_minutes_and_a_missing_model_end_it_with_the_remedy(config: Path) -> None:
    with openai_server() as server:
        endpoint = {"OPENAI_BASE_URL": server.url}
        few = whyrec("extract", "items", "--limit", "3", "--config", config, **endpoint)
        assert few.exit_code == 0 and "the limit of 3" in few.stdout and known(config)[0] == 3
        unpriced = whyrec("extract", "items", "--max-cost", "1", "--config", config, **endpoint)
        assert unpriced.exit_code == 1 and "no price" in unpriced.stderr
        prices = config.parent / "prices.toml"
        prices.write_text('[models."reverser-1"]\nprompt = 0\ncompletion = 1000\n')
        one = {"WHYREC_BUDGET__PRICES": str(prices)} | endpoint  # 0.4 a call at most, some hundredths really
        paid = json.loads(
            whyrec("extract", "items", "--max-cost", "0.5", "--json", "--config", config, **one).stdout
        )
        assert 0 < paid["cost"] <= 0.5 and "0.5" in paid["stopped"] and paid["done"] >= 1
    none = whyrec("extract", "items", "--config", config, WHYREC_LLM__ENGINE="none")
    assert none.exit_code == 1 and "no language model" in none.stderr


def _asked(server: Running) -> int:
    """Questions about items since the last look; the probes at each start are none."""
    said = [str(one["body"].get("messages")) for one in server.requests()]
    return sum("Kinds of facts" in text for text in said)


def _start(config: Path, url: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from api.cli.main import run; run()"]
    return subprocess.Popen(
        [*command, "extract", "items", "--config", str(config)],
        cwd=ROOT,
        env=os.environ | {"OPENAI_BASE_URL": url, "WHYREC_KNOWLEDGE__CONCURRENCY": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill", "interrupt"])
def test_a_run_that_is_ended_loses_at_most_what_was_under_way(config: Path, how: signal.Signals) -> None:
    ended, calls = 0, 0
    with openai_server(delay=0.1) as server:
        for _ in range(8):
            process = _start(config, server.url)
            seen = 0
            until = time.monotonic() + 60
            while seen < 6 and process.poll() is None and time.monotonic() < until:
                seen += _asked(server)
                time.sleep(0.02)
            if process.poll() is None:
                process.send_signal(how)
                ended += 1
            out, _ = process.communicate(timeout=30)
            calls += seen + _asked(server)
            if how == signal.SIGINT and process.returncode == 130:
                assert b"interrupted" in out
            if process.returncode == 0:
                break
        assert process.returncode == 0 and ended >= 2
        assert known(config) == (len(FILMS), 2 * len(FILMS))
        assert calls <= len(FILMS) + 2 * ended, "no more is asked again than was under way"
