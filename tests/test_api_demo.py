"""The demo as a user meets it: twice in a fresh folder, with the bundled model."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.whole import trained, whyrec

ROOT = Path(__file__).parents[1]


def _demo(folder: Path) -> tuple[str, float]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "WHYREC_"))}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", "from api.cli.main import run; run()", "demo", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**clean, "PYTHONPATH": str(ROOT)},
        timeout=600,
    )
    if done.returncode and "pip could not" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return done.stdout, time.monotonic() - began


@pytest.mark.long
def test_the_demo_goes_from_nothing_to_thirty_explained_items_and_the_second_run_skips_what_is_done(
    tmp_path: Path,
) -> None:
    first, _ = _demo(tmp_path / "demo")
    scores = {name: float(score) for name, score in re.findall(r"^(popularity|ALS) +(\.?\d\S*)", first, re.M)}
    assert scores["ALS"] >= 1.5 * scores["popularity"]
    assert re.search(r"^\d[\d,]* people +NDCG@10", first, re.M)
    assert len(re.findall(r"^── for p[0-9a-f]{20}: ", first, re.M)) == 3
    assert len(re.findall(r"^ ?\d{1,2} +(?:\d+|–)  \S", first, re.M)) == 30
    assert first.count("weight 0 (default)") == 3
    assert "export OPENAI_BASE_URL=" in first
    second, seconds = _demo(tmp_path / "demo")
    assert second.count("already there") == 4 and "already measured" in second
    assert seconds < 60


def test_people_with_readable_histories_on_most_platforms_are_shown(whole: Path) -> None:
    from api.cli.demo_people import account, choose
    from recall.workspace import Workspace

    build = Workspace(whole.parent / "workspace").builds.current()
    chosen = choose(build, 3)
    assert len(chosen) == 3 and chosen == choose(build, 3)
    named = account(build, chosen[0])
    done = whyrec("recommend", named or "", "--json", "--config", whole, WHYREC_LLM__ENGINE="none")
    assert json.loads(done.stdout)["person"] == chosen[0]


def test_a_changed_configuration_is_ingested_and_trained_again(tmp_path: Path) -> None:
    from api.cli.demo import _ingest, _train
    from api.settings import load_settings

    config = trained(tmp_path)
    assert "already there" in (_ingest(load_settings(config), config) or "")
    assert "already there" in (_train(load_settings(config), config) or "")
    later = time.time() + 5
    os.utime(config, (later, later))
    assert _ingest(load_settings(config), config) is None
    assert _train(load_settings(config), config) is None
