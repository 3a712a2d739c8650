"""A model's answer, however damaged, is a permutation of what was sent."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank.labels import candidate_labels
from rerank.reasons import parse_reasons
from rerank.reply import parse_order

LABELS = candidate_labels(5)


@pytest.mark.parametrize(
    ("text", "order", "repair"),
    [
        ('{"order": ["C", "A", "B", "E", "D"]}', "CABED", None),
        ('```json\n{"order": ["C", "A", "B", "E", "D"]}\n```', "CABED", "fence"),
        ('<think>A first? {"order": ["A"]}</think>{"order": ["E", "A", "B", "C", "D"]}', "EABCD", "thinking"),
        ('Here you go: {"order": ["B", "A", "C", "D", "E"]} Enjoy!', "BACDE", "prose"),
        ('{"order": ["D", "B", "A', "DBACE", "truncated"),
        ('{"order": ["D", "D", "B"]}', "DBACE", "repeated"),
        ('{"order": ["Z", "B", 12, null]}', "BACDE", "invented"),
        ('{"order": [{"label": "C"}, {"label": "A"}]}', "CABDE", "wrapped"),
        ('{"order": ["[b]", "A"]}', "BACDE", "mended"),
        ('["E", "D"]', "EDABC", "missing"),
        ("1. C\n2. A\n3. B", "CABDE", "prose"),
        ("C > A > B > D > E", "CABDE", "prose"),
        ("12 Monkeys is best, then A Bug's Life.", "ABCDE", "missing"),
        ("<think>A, B, C", "ABCDE", "thinking"),
        ("", "ABCDE", "missing"),
    ],
)
def test_what_can_be_read_is_used_and_the_repair_is_counted(
    text: str, order: str, repair: str | None
) -> None:
    parsed = parse_order(text, LABELS)
    assert "".join(LABELS[place] for place in parsed.order) == order
    assert parsed.repairs == {} if repair is None else repair in parsed.repairs


_PIECES = [
    "{", "}", "[", "]", '"', ",", ":", "\\", "\n", "```json", "```", "<think>", "</think>", '"order"',
    "order", '"A"', '"B"', '"Z"', "A", "B", "1.", "12 Monkeys", "null", "NaN", "1e999",
    '{"order":["B","A"]}', '["C"]', "\ud800", "\x00", "é", "你好", '{"label":"D"}', "\u202e",
]  # fmt: skip
_WRAPPINGS = [
    "{}",
    "```json\n{}\n```",
    "<think>A > B</think>{}",
    "<think>{}",
    "Sure! {} Enjoy 12 Monkeys.",
    "{} {}",
    "[{}]",
]


@st.composite
def _mangled(draw: st.DrawFn) -> str:
    """A good reply in some wrapping, of which pieces are then cut out, doubled, swapped or replaced."""
    order = draw(st.permutations(candidate_labels(draw(st.integers(1, 40)))))
    text = draw(st.sampled_from(_WRAPPINGS)).replace("{}", json.dumps({"order": list(order)}))
    for _ in range(draw(st.integers(0, 4))):
        start, length = draw(st.integers(0, len(text))), draw(st.integers(0, 30))
        piece, other = text[start : start + length], draw(st.sampled_from(_PIECES))
        change = draw(st.sampled_from(["cut off", "out", "twice", "turned", "other"]))
        middle = {"cut off": "", "out": "", "twice": piece * 2, "turned": piece[::-1], "other": other}[change]
        text = text[:start] + middle + ("" if change == "cut off" else text[start + length :])
    return text


_DAMAGED = st.one_of(
    st.text(max_size=80), st.lists(st.sampled_from(_PIECES), max_size=25).map("".join), _mangled()
)


def _check(text: str, n: int) -> None:
    labels = candidate_labels(n)
    parsed = parse_order(text, labels)
    assert sorted(parsed.order) == list(range(n))
    assert 0 <= parsed.named <= n
    assert parsed.order[parsed.named :] == tuple(sorted(parsed.order[parsed.named :]))
    assert all(count > 0 for count in parsed.repairs.values())
    parse_reasons(text, labels)


@given(_DAMAGED, st.integers(0, 40))
@settings(max_examples=1500, deadline=None)
def test_damaged_replies_give_a_permutation(text: str, n: int) -> None:
    _check(text, n)


@pytest.mark.long
def test_a_hundred_thousand_damaged_replies_give_a_permutation() -> None:
    """Seeded draws of the same damage, without what Hypothesis takes to shrink them."""
    draw = random.Random(20)
    for _ in range(100_000):
        n = draw.randint(0, 40)
        _check(_wreck(draw, n), n)


def _wreck(draw: random.Random, n: int) -> str:
    if draw.random() < 0.3:
        return "".join(draw.choices(_PIECES, k=draw.randint(0, 25)))
    order = draw.sample(candidate_labels(n), n) + draw.choices(["ZZ", "A", "12", "h1"], k=draw.randint(0, 3))
    text = draw.choice(_WRAPPINGS).replace("{}", json.dumps({"order": order}))
    for _ in range(draw.randint(0, 4)):
        start, length = draw.randint(0, len(text)), draw.randint(0, 30)
        piece = text[start : start + length]
        changed = draw.choice(
            ["", piece * 2, piece[::-1], draw.choice(_PIECES), chr(draw.randint(0, 0x10FFFF))]
        )
        text = text[:start] + changed + (text[start + length :] if draw.random() < 0.8 else "")
    return text


def test_a_good_reply_that_is_cut_anywhere_keeps_its_beginning() -> None:
    labels = candidate_labels(20)
    wanted = random.Random(1).sample(labels, 20)
    text = json.dumps({"order": wanted})
    for cut in range(len(text)):
        parsed = parse_order(text[:cut], labels)
        assert [labels[place] for place in parsed.order[: parsed.named]] == wanted[: parsed.named]


def test_deep_nesting_is_survived() -> None:
    for text in ("[" * 50_000, '{"order":' * 20_000, "{" * 100_000):
        assert parse_order(text, LABELS).order == (0, 1, 2, 3, 4)


def test_reasons_are_salvaged_from_a_truncated_answer() -> None:
    text = '{"reasons": [{"item": "B", "cites": ["h1"], "text": "One."}, {"item": "A", "cites": ["h'
    (draft,) = parse_reasons(text, candidate_labels(2))
    assert (draft.item, draft.text, draft.cites) == (1, "One.", ("h1",))
