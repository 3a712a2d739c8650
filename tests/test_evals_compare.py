from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluated import answering, declared, oracle, settings
from whole import whyrec

from evals.beyond import beyond, calibration, diversity, gini
from evals.cases import Case, PoolItem
from evals.cells import narrow
from evals.comparison import Comparison, comparisons
from evals.results import Results
from evals.stability import kendall, rbo
from recall.types import Candidate, Event, Item
from rerank.llm.scripted import ScriptedModel

HOSTILE = '</script><script>document.title="owned"</script><img src="http://127.0.0.1:9/x">'


@pytest.fixture(scope="module")
def report(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Results]]:
    """A run of an oracle, of its shuffled twin and of a model that keeps the shown order; its whyrec.toml."""
    import asyncio

    folder = tmp_path_factory.mktemp("compared")
    mine = settings(whole, folder)
    arms = [
        {"name": "good", "model": "good"},
        {"name": "noisy", "model": "noisy"},
        {"name": "told", "model": "good", "reasons": True, "shown": 2},
        {"name": "keeps", "model": "keeps", "shuffle": True, "repeats": 2},
    ]
    models = {name: {"engine": "none"} for name in ("good", "noisy", "keeps")}
    config = declared(arms=arms, models=models, cases={"split": "last", "people": 40, "candidates": 14})
    keeps = ScriptedModel(answering(lambda lines, target: list(lines)), name="keeps")
    scripted = {"good": oracle(), "noisy": oracle(rate=0.9), "keeps": keeps}

    async def made() -> Path:
        from evals.run import run

        return (await run(mine, config, models=scripted)).folder

    where = asyncio.run(made())
    yield folder / whole.name, Results.load(where)


@pytest.fixture(scope="module")
def comparison(report: tuple[Path, Results]) -> Comparison:
    return comparisons([report[1]])[0]


def _arm(comparison: Comparison, name: str) -> Any:
    return next(arm for arm in comparison.arms if arm.name == name)


def test_the_better_arm_is_found(comparison: Comparison) -> None:
    good, noisy, oracle_row = (_arm(comparison, name) for name in ("good", "noisy", "oracle"))
    assert good.main.mean == oracle_row.main.mean == 1.0 > noisy.main.mean
    assert good.against.significant and good.against.paired.difference.low > 0
    assert good.against.paired.losses == 0


def test_conditional_and_unconditional_differ_by_the_coverage(comparison: Comparison) -> None:
    good = _arm(comparison, "good")
    assert 0 < comparison.covered < comparison.cases
    assert good.everywhere.mean == pytest.approx(good.main.mean * comparison.covered / comparison.cases)


def test_following_the_shown_order_shows_as_position_bias_and_instability(comparison: Comparison) -> None:
    keeps, good = _arm(comparison, "keeps"), _arm(comparison, "good")
    assert [slot.place for slot in keeps.slots] == [slot.slot for slot in keeps.slots]
    assert keeps.stability.pairs > 5 and abs(keeps.stability.kendall) < 0.6
    assert keeps.repeats is not None and good.repeats is None
    assert all(slot.gain == 1.0 for slot in good.slots if slot.gain is not None)


def test_segments_hold_everybody_once_for_each_kind(comparison: Comparison) -> None:
    for kind in ("history", "platforms", "new"):
        people = sum(one.people for one in _arm(comparison, "good").segments if one.kind == kind)
        assert people == comparison.covered


def test_withheld_reasons_are_counted_by_their_code(comparison: Comparison) -> None:
    told = _arm(comparison, "told").reasons
    assert told is not None and told.places == 2 * comparison.covered
    assert told.supported == 0.0 and _arm(comparison, "good").reasons is None


def test_the_commands_print_a_table_json_and_markdown(report: tuple[Path, Results]) -> None:
    config = report[0]
    shown = whyrec("eval", "compare", "test", "--config", config)
    assert shown.exit_code == 0, shown.output
    assert "noisy" in shown.stdout and "leave-last-out" in shown.stdout
    asked = whyrec("eval", "compare", "test", "--config", config, "--json")
    assert {arm["name"] for arm in json.loads(asked.stdout)[0]["arms"]} >= {"good", "noisy", "recall"}
    told = whyrec("eval", "compare", "test", "--config", config, "--markdown")
    assert told.stdout.startswith("| arm |") and "| good |" in told.stdout


def test_an_unknown_run_or_baseline_is_named(report: tuple[Path, Results]) -> None:
    assert "have test" in whyrec("eval", "compare", "nope", "--config", report[0]).stderr
    wrong = whyrec("eval", "compare", "test", "--baseline", "nope", "--config", report[0])
    assert wrong.exit_code == 1 and "no arm 'nope'" in wrong.stderr


def test_a_failed_call_is_never_a_zero(report: tuple[Path, Results]) -> None:
    run = report[1]
    rows = [dict(row) for row in run.rows]
    lost = next(row for row in rows if row["arm"] == "good" and row["place"] is not None)
    lost |= {"status": "failed", "cause": "connection"}
    found = comparisons([Results(run.folder, run.header, run.pool, tuple(rows))])[0]
    good = _arm(found, "good")
    assert good.failed == 1 and good.main.mean == 1.0
    assert good.against.paired.people == found.covered - 1
    [alone] = [
        row
        for row in narrow(
            comparisons([Results(run.folder, run.header, run.pool, tuple(rows))], baseline="good")[0]
        )
        if row[0] == "good"
    ]
    assert alone[1] == f"{found.covered - 1:,}"


def test_lists_beside_accuracy_by_hand() -> None:
    items = {name: PoolItem(Item(name, name, categories=tags), liked) for name, tags, liked in SHELF}
    case = Case(
        "p", "x", "b", 9, (Event("e", "x", "h", "seen", 1),),
        tuple(Candidate(name, at, 1.0) for at, name in enumerate("abc")), (0.0,) * 3, (3.0, 1.0, 2.0), {},
    )  # fmt: skip
    assert diversity(["a", "b"], items) == 1.0 and diversity(["a", "c"], items) == 0.5
    assert diversity(["a"], items) is None
    assert calibration(case, ["a"], items) == pytest.approx(0.0, abs=1e-12)
    assert calibration(case, ["b"], items) == pytest.approx(np.log(1 / 0.01))
    found = beyond([(case, ["a", "b"])], items, k=1, people=8, catalogue=4)
    assert (found.catalogue, found.novelty, found.popularity) == (0.25, 2.0, 2.0)
    surprised = beyond([(case, ["b"])], items, k=1, people=8, catalogue=4)
    assert (found.serendipity, surprised.serendipity) == (0.0, 1.0)


SHELF = [
    ("a", ("drama",), 2),
    ("b", ("horror",), 1),
    ("c", ("drama", "horror"), 4),
    ("h", ("drama",), 1),
]


def test_concentration_and_order_agreement_by_hand() -> None:
    assert gini([5, 5, 5]) == pytest.approx(0.0) and gini([0, 0, 9]) == pytest.approx(2 / 3)
    assert kendall([0, 1, 2], [0, 1, 2]) == 1.0 and kendall([0, 1, 2], [2, 1, 0]) == -1.0
    assert kendall([0, 1, 2], [0, 2, 1]) == pytest.approx(1 / 3)
    assert rbo([0, 1, 2], [0, 1, 2]) == pytest.approx(1.0)
    assert rbo([0, 1], [1, 0], 0.5) == pytest.approx(0.5 * (0 + 0.5 * 1) + 0.25)


def _hostile(run: Results) -> Results:
    """The run with markup for a title and in a prompt."""
    from dataclasses import replace

    from evals.cases import Pool

    id = next(case for case in run.pool.cases if case.slot is not None).candidates[0].item
    items = [
        replace(one, item=replace(one.item, title=HOSTILE)) if one.item.id == id else one
        for one in run.pool.items.values()
    ]
    pool = Pool.of(run.pool.header, run.pool.cases, items)
    return Results(run.folder, run.header, pool, run.rows)


@pytest.mark.long
def test_the_report_opens_in_a_real_browser(report: tuple[Path, Results], tmp_path: Path) -> None:
    """No console errors, no requests but the file itself, and titles with markup stay text."""
    import shutil

    from evals.report import write_report

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium: apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    run = _hostile(report[1])
    file = tmp_path / "report.html"
    write_report(file, comparisons([run]), [run])
    assert HOSTILE not in file.read_text()
    with api.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            for scheme in ("light", "dark"):
                page = browser.new_page(color_scheme=scheme)
                wrong: list[str] = []
                asked: list[str] = []
                page.on("console", lambda said, wrong=wrong: wrong.append(said.text))
                page.on("pageerror", lambda error, wrong=wrong: wrong.append(str(error)))
                page.on("request", lambda request, asked=asked: asked.append(request.url))
                page.goto(file.as_uri())
                assert page.locator("h2").nth(1).inner_text() == "Arms"
                assert page.locator("svg circle").count() > 3 and page.locator("svg polyline").count() == 4
                assert HOSTILE in page.locator("#case").inner_text()
                first = page.locator("#case").inner_text()
                page.locator("#next").click()
                assert page.locator("#case").inner_text() != first
                call = page.locator("details.call").first
                call.locator("summary").click()
                assert call.get_attribute("open") is not None
                assert "Candidates:" in call.locator("pre").all_text_contents()[1]
                assert page.title() == "whyrec evaluation"
                assert page.locator("img").count() == 0
                ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
                assert ground == ("rgb(251, 252, 253)" if scheme == "light" else "rgb(18, 23, 29)")
                assert wrong == [] and [url for url in asked if not url.startswith("data:")] == [
                    file.as_uri()
                ]
                page.close()
        finally:
            browser.close()
