"""A build's report: the facts add up, and the page holds nothing that acts or asks for anything."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from recall.config import MergeConfig
from recall.links.items import Doubt
from recall.links.people import Refused
from recall.report import BuildReport, FileCount
from recall.report_facts import describe
from recall.report_html import report_page
from tests.whole import whyrec, write_platforms
from tests.worlds import write_build

EVIL = "<script>alert(1)</script>\u202e\x1b[31m\"'&"


class Notes:
    refused = (Refused("email", "shared", 9),)
    doubts = (Doubt(("cinema", "alien"), ("shop", "alien"), 0.7, "title+near year", "confidence"),)


def built(folder: Path) -> Path:
    return write_build(
        folder,
        events=[
            "ann cinema matrix 86400",
            "ann shop alien 200000 like 2",
            "bob cinema alien 300000 dislike",
            "bob cinema matrix 400000 neutral",
            "cid shop matrix 500000",
        ],
        items=["unseen cinema 1999 Drama"],
    )


def report(build: Path, file: str = "a.csv") -> dict[str, Any]:
    files = (FileCount("cinema", "events", file, 7, 5, {"bad_time": 1, "duplicate": 1}),)
    tables = {"people": 3, "items": 3, "events": 5, "interactions": 4}
    facts = describe(build, MergeConfig(), Notes()).as_json()
    return BuildReport(build.name, build, files, tables, 500_000, facts).as_json()


def test_the_facts_of_a_small_build_are_right(tmp_path: Path) -> None:
    facts = describe(built(tmp_path), MergeConfig(), Notes())
    assert facts.people["platforms"] == {"cinema": 2, "shop": 2}
    assert facts.people["in_common"] == 1 and facts.people["all"] == 3
    assert {"platforms": ["cinema", "shop"], "count": 2} in facts.items["sets"]
    assert sum(count for points in facts.events["over_time"].values() for _, count in points) == 5
    assert facts.events["unit"] == "day" and facts.events["over_time"]["cinema"][0] == [86_400, 1]
    assert facts.sparsity["interactions"] == 4
    assert facts.sparsity["density"] == pytest.approx(4 / (3 * 2))
    assert facts.weights["quantiles"]["1.0"] == 2.0
    assert sum(bar["count"] for bar in facts.weights["histogram"]) == 4
    assert facts.links["refused_keys"] == [{"method": "email", "cause": "shared", "accounts": 9}]
    (pair,) = facts.links["doubtful_pairs"]
    assert pair["one"]["title"] == "Alien" and pair["events"] == 2


def test_an_empty_build_has_a_page_too(tmp_path: Path) -> None:
    build = write_build(tmp_path)
    facts = describe(build, MergeConfig()).as_json()
    tables = {"people": 0, "items": 0, "events": 0, "interactions": 0}
    page = report_page(BuildReport(build.name, build, (), tables, 0, facts).as_json())
    assert "<h1>Build" in page


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [
            name for name, _ in attrs if name in ("src", "href", "srcset") or name.startswith("on")
        ]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_asks_for_nothing_and_runs_nothing(tmp_path: Path) -> None:
    whole = report(built(tmp_path), file=f"{EVIL}.csv")
    whole["links"]["doubtful_pairs"][0]["one"]["title"] = EVIL
    page = report_page(whole)
    reader = Reader()
    reader.feed(page)
    assert reader.open == [] and reader.addresses == []
    assert not reader.tags & {"script", "link", "img", "iframe", "object", "a"}
    assert "http" not in page.replace("http-equiv", "") and "url(" not in page and "@import" not in page
    assert "\u202e" not in page and "\x1b" not in page
    assert "prefers-color-scheme:dark" in page
    assert reader.text.count("alert(1)") >= 2


def test_the_page_says_what_was_left_out_and_why(tmp_path: Path) -> None:
    reader = Reader()
    reader.feed(report_page(report(built(tmp_path))))
    for said in ("bad time 1", "duplicate 1", "too many accounts of one platform have it", "not sure enough"):
        assert said in reader.text


def test_ingest_writes_both_reports_and_names_the_page(tmp_path: Path) -> None:
    done = whyrec("ingest", "--config", write_platforms(tmp_path))
    assert done.exit_code == 0, done.output
    page = Path(done.stdout.strip().splitlines()[-1].split(": ", 1)[1])
    assert page.name == "report.html" and page.read_text().startswith("<!doctype html>")
    whole = json.loads((page.parent / "report.json").read_text())
    assert whole["total"]["read"] == whole["total"]["kept"] > 0
    assert {"people", "items", "events", "links", "weights", "sparsity"} < set(whole)
