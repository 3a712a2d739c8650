"""`whyrec links review` and judges: a decision is kept, counts from the next ingest on and stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli.main import app
from api.linking import Linking
from api.settings import load_settings
from recall.links.judge import ScriptedJudge
from recall.merge import ingest
from recall.workspace import Workspace
from tests.openai_server import openai_server
from tests.whole import whyrec

CONFIG = """
[platforms.cinema]
[[platforms.cinema.events]]
path = "cinema.csv"
columns = { user = "user", item = "item", time = "time" }
[[platforms.cinema.items]]
path = "films.csv"
columns = { item = "item", title = "title", year = "year", categories = "genres" }
[platforms.shop]
[[platforms.shop.events]]
path = "shop.csv"
columns = { user = "user", item = "item", time = "time" }
[[platforms.shop.items]]
path = "goods.csv"
columns = { item = "item", title = "title", year = "year", categories = "genres" }
"""


def write(folder: Path) -> Path:
    for name, items in (("cinema", ("fear", "anna", "twin")), ("shop", ("FEAR", "ANNA", "TWIN"))):
        often = {"anna": 9, "fear": 3, "twin": 1}
        rows = [f"u{n},{item},{n + 1}" for item in items for n in range(often[item.lower()])]
        (folder / f"{name}.csv").write_text("\n".join(["user,item,time", *rows]) + "\n")
    (folder / "films.csv").write_text(
        "item,title,year,genres\nfear,The Fear,1995,Horror\nanna,Anna [bold]x,1996,Drama|Short\n"
        "twin,Alien,1979,Horror\n"
    )
    (folder / "goods.csv").write_text(
        "item,title,year,genres\nFEAR,Fear,1996,Drama\nANNA,Anna [bold]x,1995,Drama\nTWIN,Alien,1979,Horror\n"
        "SHORT,A Short,1990,Short\n"
    )
    config = folder / "whyrec.toml"
    config.write_text(CONFIG)
    done = whyrec("ingest", "--config", config)
    assert done.exit_code == 0, done.output
    return config


def doubts(config: Path) -> list[dict[str, Any]]:
    done = whyrec("links", "review", "--json", "--config", config)
    assert done.exit_code == 0, done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def together(config: Path, one: str) -> set[str]:
    done = whyrec("links", "show", one, "--items", "--json", "--config", config)
    return {row["key"] for row in json.loads(done.stdout)["links"]}


def test_doubts_come_with_both_records_the_most_influential_first(tmp_path: Path) -> None:
    config = write(tmp_path)
    assert [pair["events"] for pair in doubts(config)] == [18, 6]
    done = whyrec("links", "review", "--list", "--config", config)
    first = done.stdout.split("2 of 2")[0]
    assert "Anna [bold]x" in first and "cinema" in first and "shop" in first and "1996" in first


def test_yes_joins_no_parts_and_neither_is_asked_again(tmp_path: Path) -> None:
    config = write(tmp_path)
    done = CliRunner().invoke(app, ["links", "review", "--config", str(config)], input="y\nn\n")
    assert done.exit_code == 0, done.output
    assert whyrec("ingest", "--config", config).exit_code == 0
    assert doubts(config) == []
    assert together(config, "cinema:anna") == {"anna", "ANNA"}
    assert together(config, "cinema:fear") == {"fear"}


def test_what_is_skipped_stays_a_doubt_and_quitting_ends(tmp_path: Path) -> None:
    config = write(tmp_path)
    done = CliRunner().invoke(app, ["links", "review", "--config", str(config)], input="s\nq\n")
    assert done.exit_code == 0 and len(doubts(config)) == 2


@pytest.mark.parametrize("said", [True, False])
def test_what_a_judge_says_is_kept_in_the_ledger(tmp_path: Path, said: bool) -> None:
    config = write(tmp_path)
    settings = load_settings(config)
    pair = frozenset({("cinema", "anna"), ("shop", "ANNA")})
    with Linking.open(settings) as linking:
        linking.linker.judge = ScriptedJudge({pair: said})
        workspace = Workspace(settings.workspace)
        ingest(linking.inputs, workspace, linking.link, now=10**9, ready=linking.ready)
    assert len(doubts(config)) == 1
    assert whyrec("ingest", "--config", config).exit_code == 0  # without the judge
    assert together(config, "cinema:anna") == ({"anna", "ANNA"} if said else {"anna"})
    shown = json.loads(whyrec("links", "show", "cinema:anna", "--items", "--json", "--config", config).stdout)
    assert [(one["action"], one["by"]) for one in shown["decisions"]] == [
        ("add" if said else "remove", "judge:scripted")
    ]


def test_the_model_is_shown_to_decide_and_decides_for_good_only_when_told_to(tmp_path: Path) -> None:
    config = write(tmp_path)
    with openai_server() as server:
        command = ("links", "judge", "--config", config)
        shown = whyrec(*command, OPENAI_BASE_URL=server.url)
        assert shown.exit_code == 0, shown.output
        assert "one work" in shown.stdout and "two works" in shown.stdout and "Anna [bold]x" in shown.stdout
        assert len(doubts(config)) == 2
        done = whyrec(*command, "--apply", "--json", OPENAI_BASE_URL=server.url)
    assert [(row["same"], row["kept"]) for row in json.loads(done.stdout)] == [(True, True), (False, True)]
    assert doubts(config) == []
    assert whyrec("ingest", "--config", config).exit_code == 0
    assert together(config, "cinema:anna") == {"anna", "ANNA"}
    assert together(config, "cinema:fear") == {"fear"}
    decided = json.loads(whyrec("links", "show", "shop:FEAR", "--items", "--json", "--config", config).stdout)
    assert [one["by"] for one in decided["decisions"]] == ["judge:reverser-1"]


def test_a_judge_that_is_not_there_decides_nothing_and_is_asked_once(tmp_path: Path) -> None:
    config = write(tmp_path)
    done = whyrec("links", "judge", "--json", "--config", config, OPENAI_BASE_URL="http://127.0.0.1:1/v1")
    assert [(row["same"], row["cause"]) for row in json.loads(done.stdout)] == [(None, "connection")]
