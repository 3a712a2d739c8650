"""`whyrec bench rank` counts what methods ask, and leaves out what can't be measured, saying so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from api.settings import load_settings
from evals.bench.rank import PEER, _measure, _peer
from evals.bench.rank_prefix import prefix_figures
from evals.bench.rank_stage import stage_figures
from recall.workspace import Workspace
from rerank.windows import sliding


@pytest.mark.parametrize(
    ("method", "questions", "rounds"), [("listwise", 9, 9), ("logits", 8, 3), ("pointwise", 200, 1)]
)
def test_a_method_is_counted_beside_rankllms_windows(method: str, questions: int, rounds: int) -> None:
    peer = asyncio.run(_peer(100))
    assert peer.questions == len(sliding(100, 20, 10)) == 9
    figures = asyncio.run(_measure(method, 100, 1, peer))
    ours = {one.unit: one.value for one in figures if one.peer is None}
    theirs = {one.unit: one for one in figures if one.peer == PEER}
    assert (ours["questions"], ours["rounds one after another"]) == (questions, rounds)
    assert theirs["questions"].ratio == pytest.approx(questions / 9)
    assert theirs["prompt tokens"].value == peer.tokens
    if method == "listwise":
        assert theirs["prompt tokens"].ratio == pytest.approx(1, abs=0.01)
    if method == "pointwise":
        assert ours["questions once the items' priors are known"] == 100


def test_without_a_trained_workspace_the_stages_are_left_out_and_it_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    assert stage_figures(Workspace(tmp_path), people=3, progress=said.append) == []
    assert "nothing is trained" in said[0]


def test_each_method_is_timed_beside_the_recall_stage(whole: Path) -> None:
    workspace = Workspace(load_settings(whole).workspace)
    figures = stage_figures(workspace, people=5, progress=lambda text: None)
    assert len(figures) == 12
    assert all(one.value > 0 for one in figures)
    assert sum(one.ratio is not None for one in figures) == 3


def test_without_weights_the_prefix_cache_is_left_out_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    said: list[str] = []
    assert prefix_figures(candidates=4, progress=said.append) == []
    assert "llm pull" in said[0]
