from __future__ import annotations

import pytest

from recall.titles_index import TitleIndex

INDEX = TitleIndex.of(
    [
        ("wars", "Star Wars"),
        ("empire", "Star Wars: The Empire Strikes Back"),
        ("amelie", "Amélie (Le fabuleux destin)"),
        ("trek", "A Star Trek"),
        ("ship", "Starship"),
        ("wars", "La guerre des étoiles"),
        ("spirited", "千と千尋の神隠し"),
    ]
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("star wars", ["wars", "empire"]),
        ("STAR", ["ship", "wars", "empire", "trek"]),
        ("wars star", ["wars", "empire"]),
        ("amelie", ["amelie"]),
        ("Étoiles", ["wars"]),
        ("千尋", ["spirited"]),
        ("star warz", ["wars"]),
        ("", []),
        ("?!", []),
        ("nothing like it", []),
    ],
)
def test_a_title_is_found_by_its_words_whatever_their_case_accents_and_order(
    text: str, found: list[str]
) -> None:
    assert INDEX.search(text, 10) == found


def test_no_more_than_asked_for_come_and_none_twice() -> None:
    assert INDEX.search("star", 2) == ["ship", "wars"]
    assert INDEX.search("star", 0) == []
    assert TitleIndex.of([]).search("star", 3) == []
