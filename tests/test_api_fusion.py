from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from api.cli.fusion import measure, show
from tests.worlds import write_build


def test_the_picture_counts_people_and_items_by_the_platforms_that_they_share(tmp_path: Path) -> None:
    build = write_build(
        tmp_path,
        events=["ann cinema matrix 1", "ann shop alien 2", "bob shop alien 3", "cleo shop alien 4"],
        items=["matrix cinema,shop 1999"],
    )
    fusion = measure(build)
    assert fusion.people == {("cinema", "shop"): 1, ("shop",): 2}
    assert fusion.items == {("cinema", "shop"): 1, ("shop",): 1}
    assert (fusion.accounts, fusion.listings, fusion.events) == (4, 3, 4)
    out = io.StringIO()
    show(Console(file=out, width=100), fusion)
    assert "4 accounts are 3 people, 3 listings are 2 items" in out.getvalue()
    assert "cinema + shop" in out.getvalue() and out.getvalue().count("█" * 24) == 3


def test_an_empty_build_is_a_picture_of_nothing(tmp_path: Path) -> None:
    out = io.StringIO()
    show(Console(file=out, width=100), measure(write_build(tmp_path)))
    assert "0 events on 0 platforms" in out.getvalue()
