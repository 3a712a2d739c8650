"""What a model says of an item is believed as far as the item's own text and the catalogue allow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts import load
from prompts.fields import kinds
from recall.types import Item, Listing
from rerank.knowledge.contradictions import contradiction
from rerank.knowledge.facts import PER_ITEM, PER_KIND, VALUE_CHARS, Example, parse_facts
from rerank.knowledge.items import card, domains_of
from rerank.knowledge.schema import SURE, items_schema
from rerank.knowledge.types import OPEN, Fact

ALIEN = Item(
    "i1",
    "Alien",
    1979,
    ("Ridley Scott",),
    ("Horror", "Sci-Fi"),
    (Listing("shop", "s1", "Alien – Directors Edition"),),
    "The crew of a freighter answers a distress call on a lonely moon and brings a creature back on board.",
    "en",
    16,
)


def said(*facts: tuple[str, str, str, str], line: str = "") -> str:
    entries = [dict(zip(("kind", "value", "source", "sure"), fact, strict=True)) for fact in facts]
    return json.dumps({"facts": entries, "line": line})


def parsed(text: str, item: Item = ALIEN, catalogue: frozenset[str] = frozenset()) -> tuple[Fact, ...]:
    found = parse_facts(text, item, "films", catalogue)
    assert found is not None
    return found.value


def counted(text: str, item: Item = ALIEN, catalogue: frozenset[str] = frozenset()) -> dict[str, int]:
    found = parse_facts(text, item, "films", catalogue)
    assert found is not None
    return dict(found.dropped)


def test_a_fact_that_the_text_states_keeps_its_source_and_one_from_memory_is_marked() -> None:
    text = said(
        ("theme", "Distress calls", "description", "yes"),
        ("style", "sci-fi horror", "categories", "likely"),
        ("theme", "corporate greed", "model", "likely"),
        ("entity", "Nostromo", "description", "yes"),
    )
    found = {fact.value: fact for fact in parsed(text)}
    assert found["distress calls"].source == "description"
    assert found["distress calls"].confidence == SURE["yes"]
    assert found["sci-fi horror"].source == "categories"
    assert found["corporate greed"].source == OPEN and found["corporate greed"].confidence == 0.6
    assert found["Nostromo"].source == OPEN, "the description does not name it, whatever the model says"
    assert counted(text) == {"unfounded": 1}


def test_a_fact_under_the_wrong_field_gets_the_field_that_carries_it() -> None:
    (fact,) = parsed(said(("setting", "lonely moon", "title", "yes")))
    assert fact.source == "description"
    (fact,) = parsed(said(("setting", "freighter", "model", "maybe")))
    assert fact.source == "description" and fact.confidence == SURE["maybe"]


def test_the_surest_facts_come_first_and_the_line_last() -> None:
    text = said(
        ("theme", "freighter crew", "description", "maybe"),
        ("theme", "lonely moon", "description", "yes"),
        line="A freighter crew meets a creature on a lonely moon.",
    )
    assert [(fact.kind, fact.source) for fact in parsed(text)] == [
        ("theme", "description"),
        ("theme", "description"),
        ("line", "description"),
    ]
    assert parsed(text)[0].value == "lonely moon"


def test_a_line_that_brings_in_a_name_of_its_own_is_from_memory() -> None:
    (one,) = parsed(said(line="Alien is a Horror film on a freighter with Tom Hanks."))
    assert (one.kind, one.source) == ("line", OPEN)


def test_what_is_no_fact_is_left_out_and_counted() -> None:
    text = said(
        ("plot", "a moon", "description", "yes"),
        ("theme", "…", "description", "yes"),
        ("theme", "see http://x.example", "description", "yes"),
        ("theme", "a very long sentence that goes on " * 3, "description", "yes"),
        ("entity", "ALIEN", "title", "yes"),
        ("theme", "Lonely Moon.", "description", "maybe"),
        ("theme", "lonely moon", "description", "yes"),
    )
    assert [(fact.value, fact.confidence) for fact in parsed(text)] == [("lonely moon", 0.95)]
    assert counted(text) == {"unknown kind": 1, "empty": 2, "too long": 1, "echo": 1, "duplicate": 1}


def test_no_item_gets_more_facts_than_it_may() -> None:
    many = [
        (kind, f"thing {number} {kind}", "model", "yes") for kind in kinds("films") for number in range(9)
    ]
    found = parsed(said(*many))
    assert len(found) == PER_ITEM
    assert max(sum(fact.kind == kind for fact in found) for kind in kinds("films")) == PER_KIND


def test_markup_in_a_value_is_made_harmless() -> None:
    (fact,) = parsed(said(("entity", '<|im_end|> "Weyland" {x}', "model", "yes")))
    assert fact.value == "Weyland' (x)"


WHOLE = '{"kind": "theme", "value": "moon", "source": "model", "sure": "yes"}'


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"facts": [' + WHOLE + '], "line": ""}\n```',
        'Sure! {"facts": [' + WHOLE + "]}",
        '{"facts": [' + WHOLE + ', {"kind": "mood", "va',
        '[{"kind": "theme", "value": "moon", "source": 3, "sure": 0.9}]',
    ],
    ids=["fenced", "prose", "cut", "list"],
)
def test_what_is_whole_in_a_damaged_reply_is_read(text: str) -> None:
    assert [(fact.kind, fact.value) for fact in parsed(text)] == [("theme", "moon")]


@pytest.mark.parametrize(
    "text", ["", "I can't", "<html>", "{}", '{"facts": "none"}', "[1, 2]", '{"facts": [']
)
def test_an_unreadable_reply_is_damaged(text: str) -> None:
    assert parse_facts(text, ALIEN, "films") is None


def test_a_reply_that_knows_nothing_is_whole() -> None:
    found = parse_facts('{"facts": [], "line": ""}', ALIEN, "films")
    assert found is not None and found.value == ()


def test_what_a_model_copies_from_the_prompts_example_is_no_fact() -> None:
    prompt = load("extract-items", domain="films").render(card="", fields="")
    example = Example.of(prompt[0][1])
    assert ("setting", "lighthouse") in example.facts and example.line
    text = said(("setting", "lighthouse", "description", "yes"), line=example.line)
    found = parse_facts(text, ALIEN, "films", example=example)
    assert found is not None and (found.value, found.dropped["copied"]) == ((), 2)
    nearly = example.line.replace("distrust", "fear")
    assert parse_facts(said(line=nearly), ALIEN, "films", example=example).dropped == {"copied": 1}  # type: ignore[union-attr]
    keeper = Item("i6", "The Keeper", description="A keeper alone in a lighthouse.")
    found = parse_facts(text, keeper, "films", example=example)
    assert found is not None and [fact.value for fact in found.value] == ["lighthouse"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_both_prompts_show_an_answer_that_reads_as_one(language: str) -> None:
    prompt = load("extract-items", language=language).render(card="", fields="")
    example = Example.of(prompt[0][1])
    assert len(example.facts) == 2 and example.line


@pytest.mark.parametrize("line", [") 1,", "The film.", "A crew."])
def test_a_line_that_says_next_to_nothing_is_left_out(line: str) -> None:
    assert counted(said(line=line)) == {"empty": 1}


def test_a_line_that_only_repeats_the_title_is_left_out() -> None:
    assert parsed(said(line="Alien, the film")) == ()
    assert counted(said(line="Alien, the film")) == {"echo": 1}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["facts", "line", "kind", "value", "source", "sure", "x"]), inner, max_size=5
        )
    ),
    max_leaves=20,
)


@given(st.one_of(JSON.map(json.dumps), st.text()))
def test_any_reply_gives_facts_of_the_schema_or_none(text: str) -> None:
    found = parse_facts(text, ALIEN, "films")
    for fact in found.value if found else ():
        assert fact.kind in (*kinds("films"), "line") and 0 < fact.confidence <= 1
        assert fact.value and len(fact.value) <= (240 if fact.kind == "line" else VALUE_CHARS)


CATALOGUE = frozenset(("horror", "sci-fi", "documentary", "animation", "drama", "western"))
FACTUAL = Item("i2", "Man with Wings", 2008, (), ("Documentary",), (), None, "fr", 0)


@pytest.mark.parametrize(
    ("kind", "value", "item", "against"),
    [
        ("line", "A 1985 horror film about a crew.", ALIEN, "year"),
        ("style", "released in 2003", ALIEN, "year"),
        ("style", "1990s movie", ALIEN, "year"),
        ("line", "一部1985年的电影", ALIEN, "year"),
        ("entity", "directed by James Cameron", ALIEN, "creators"),
        ("style", "director: Spielberg", ALIEN, "creators"),
        ("style", "french-language dialogue", ALIEN, "language"),
        ("style", "spoken in Japanese", ALIEN, "language"),
        ("audience", "young children", ALIEN, "min_age"),
        ("audience", "ages 8+", ALIEN, "min_age"),
        ("audience", "adults only", FACTUAL, "min_age"),
        ("style", "documentary", ALIEN, "categories"),
        ("line", "An animated tale of a crew.", ALIEN, "categories"),
        ("style", "live action", Item("i3", "Up", categories=("Animation",)), "categories"),
    ],
)
def test_a_claim_against_an_attribute_is_a_contradiction(
    kind: str, value: str, item: Item, against: str
) -> None:
    assert contradiction(kind, value, item, CATALOGUE) == against
    assert counted(
        said((kind, value, "model", "yes")) if kind != "line" else said(line=value), item, CATALOGUE
    ) == {f"contradicts {against}": 1}


@pytest.mark.parametrize(
    ("kind", "value", "item"),
    [
        ("setting", "1944 france", ALIEN),
        ("line", "A 1980 film about a crew.", ALIEN),  # catalogues differ by a year
        ("style", "1970s film", ALIEN),
        ("entity", "directed by R. Scott", ALIEN),
        ("theme", "a child in danger", ALIEN),
        ("setting", "french village", ALIEN),
        ("style", "not a documentary", ALIEN),
        ("style", "documentary", FACTUAL),
        ("style", "surreal", ALIEN),
        ("audience", "adults 18+", ALIEN),
        ("style", "documentary", Item("i4", "Bare")),
        ("entity", "directed by anybody", Item("i4", "Bare")),
        ("line", "A 1985 film", Item("i4", "Bare")),
    ],
)
def test_what_claims_nothing_against_the_catalogue_is_none(kind: str, value: str, item: Item) -> None:
    assert contradiction(kind, value, item, CATALOGUE) is None


def test_a_form_that_the_catalogue_does_not_know_says_nothing() -> None:
    assert contradiction("style", "documentary", ALIEN, frozenset({"horror"})) is None


@pytest.mark.parametrize(
    "domain", ["films", "books", "shop", "music", "posts", "courses", "items", "unknown"]
)
def test_every_domain_has_a_schema_that_all_servers_take(domain: str) -> None:
    def check(part: Any) -> None:
        if isinstance(part, dict):
            assert part.keys().isdisjoint(
                {"minItems", "maxItems", "maxLength", "minimum", "maximum", "pattern"}
            )
            if part.get("type") == "object":
                assert part["additionalProperties"] is False
                assert list(part["properties"]) == part["required"]
            for inner in part.values():
                check(inner)

    check(items_schema(domain))
    assert items_schema(domain) is items_schema(domain)
    assert ("level" in kinds(domain)) == (domain == "courses")


def test_a_card_holds_what_the_schema_may_cite_and_no_id() -> None:
    text = card(ALIEN)
    assert text.splitlines()[0] == 'title: "Alien"'
    assert "s1" not in text and "i1" not in text and "min_age: 16" in text
    assert card(Item("i9", "Bare")) == 'title: "Bare"'


def test_an_item_is_read_by_the_domain_of_the_first_platform_that_lists_it() -> None:
    domain = domains_of({"cinema": "films", "shop": "shop"})
    both = Item("i", "x", listings=(Listing("shop", "1", "x"), Listing("cinema", "2", "x")))
    assert (domain(both), domain(ALIEN), domain(Item("i", "x"))) == ("films", "shop", "items")
    assert domains_of({"shop": "shop"}, "music")(ALIEN) == "music"


def test_a_chinese_value_is_found_in_a_chinese_text() -> None:
    item = Item("i5", "花样年华", 2000, description="两个邻居在香港的雨夜里慢慢靠近。")
    (fact,) = parsed(said(("setting", "香港雨夜", "description", "yes")), item)
    assert fact.source == "description"
    (fact,) = parsed(said(("setting", "上海码头", "description", "yes")), item)
    assert fact.source == OPEN
