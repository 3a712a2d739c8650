from __future__ import annotations

import io
import json
from dataclasses import replace

from rich.console import Console

from api.answers import answer_of, document_of, json_of
from api.cli.table import day, provenance_line, show
from recall.types import Candidate, History, Item, Listing
from rerank.types import (
    Cause,
    Evidence,
    Provenance,
    RankedItem,
    Reason,
    Recommendation,
    Request,
    Status,
    Usage,
)

ALIEN = Item(
    "i1", "Alien [bold]", 1979, listings=(Listing("cinema", "7", "Alien"), Listing("shop", "9", "Alien"))
)
RATED = Evidence(
    "event",
    "h1",
    "Blade Runner",
    event="e1",
    item="i2",
    platform="cinema",
    time=888_000_000,
    type="rating",
    value=5,
)
ITEM = RankedItem(
    ALIEN,
    1,
    0.9,
    Candidate("i1", 3, 0.8, {"als": 0.8}),
    "model",
    model_rank=2,
    reason=Reason("You rated Blade Runner 5.", (RATED,), "llm", True),
)
HOW = Provenance(
    rerank_status=Status.PARTIAL,
    cause=Cause.TRUNCATED,
    reasons_status=Status.FULL,
    reasons_cause=None,
    model="tiny",
    method="listwise",
    prompt="rank-v1",
    prompt_hash="0123456789abcdef",
    artefact="20261124T000000-a",
    weight=0.5,
    weight_source="default",
    usage=Usage(100, 20),
    calls=2,
    cache_hits=0,
    milliseconds={"recall": 2.0, "rank": 50.0, "total": 53.0},
    repairs={},
    removed={},
    reasons={"written": 1, "checked": 1},
)
FOUND = Recommendation("r1", Request("p1", platform="shop", wish="space"), History("p1"), (ITEM,), HOW)


def _shown(recommendation: Recommendation) -> str:
    out = io.StringIO()
    show(Console(file=out, width=110, markup=False, emoji=False, highlight=False), recommendation)
    return out.getvalue()


def test_the_table_shows_rank_title_places_model_rank_reason_and_evidence() -> None:
    shown = _shown(FOUND)
    assert "Alien [bold] (1979)" in shown and "cinema, shop" in shown
    assert "You rated Blade Runner 5." in shown
    assert "Blade Runner, cinema, 1998-02-20 (rating 5)" in shown
    first = next(line for line in shown.splitlines() if "Alien" in line)
    assert first.split()[:2] == ["1", "2"]


def test_escape_sequences_in_a_title_do_not_reach_the_terminal() -> None:
    item = replace(ITEM, item=replace(ALIEN, title="a\x1b[2J\u202eb\udc80c"))
    shown = _shown(replace(FOUND, items=(item,)))
    assert "\x1b" not in shown and "\u202e" not in shown and "a [2J b c" in shown


def test_an_empty_answer_says_so() -> None:
    assert "Nothing to recommend" in _shown(replace(FOUND, items=()))


def test_the_provenance_line_tells_status_cause_weight_tokens_and_time() -> None:
    line = provenance_line(HOW)
    for part in (
        "model tiny",
        "prompt rank-v1@01234567",
        "order partial (truncated)",
        "reasons full: written 1, checked 1",
        "weight 0.5 (default)",
        "100 + 20 tokens in 2 calls",
        "53 ms (recall 2, rank 50)",
        "artefact 20261124T000000-a",
    ):
        assert part in line


def test_a_time_beyond_the_calendar_is_shown_as_a_number() -> None:
    assert day(10**18) == str(10**18) and day(-1) == "1969-12-31"


def test_the_wire_answer_holds_what_the_pipeline_found() -> None:
    answer = json.loads(answer_of(FOUND).model_dump_json())
    assert (answer["id"], answer["person"], answer["platform"], answer["wish"]) == (
        "r1",
        "p1",
        "shop",
        "space",
    )
    (item,) = answer["items"]
    assert (item["rank"], item["recall_rank"], item["model_rank"], item["place"]) == (1, 4, 2, "model")
    assert [each["platform"] for each in item["listings"]] == ["cinema", "shop"]
    assert item["reason"]["evidence"][0]["event"] == "e1"
    assert (answer["provenance"]["rerank_status"], answer["provenance"]["cause"]) == ("partial", "truncated")


def test_an_answer_is_written_as_its_model_would_write_it() -> None:
    odd = replace(ITEM, score=float("nan"), item=replace(ALIEN, title="\U0001f47d"))
    for found in (FOUND, replace(FOUND, items=(odd,)), replace(FOUND, items=())):
        written = json.loads(json_of(document_of(found, scenario="evening", arm="b")))
        assert written == json.loads(answer_of(found, scenario="evening", arm="b").model_dump_json())


def test_what_json_cannot_carry_is_replaced_in_the_wire_answer() -> None:
    item = replace(
        ITEM,
        item=replace(ALIEN, title="a\udc80"),
        score=float("nan"),
        reason=Reason("b\ud800", (), "llm", True),
    )
    (sent,) = json.loads(json_of(document_of(replace(FOUND, items=(item,)))))["items"]
    assert (sent["title"], sent["reason"]["text"], sent["score"]) == ("a?", "b?", None)
