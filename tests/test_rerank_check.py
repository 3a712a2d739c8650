"""The check of reasons on a corpus written for it: no false reason passes, few true ones are withheld."""

from __future__ import annotations

import pytest
import reasons_corpus as corpus

from rerank.check import CODES, check
from rerank.reasons import Draft


async def _codes(cases: tuple[corpus.Case, ...]) -> list[str | None]:
    tasks = {}
    codes = []
    for case in cases:
        key = (case.language, case.wish)
        if key not in tasks:
            tasks[key] = await corpus.task(case.language, wish=case.wish)
        codes.append(check(corpus.draft(case, tasks[key]), tasks[key]))
    return codes


async def test_no_false_reason_of_the_corpus_passes() -> None:
    cases = corpus.false_cases()
    passed = [case.text for case, code in zip(cases, await _codes(cases), strict=True) if code is None]
    assert passed == []


async def test_at_most_one_in_twenty_true_reasons_is_withheld() -> None:
    cases = corpus.true_cases()
    withheld = [(case.text, code) for case, code in zip(cases, await _codes(cases), strict=True) if code]
    assert len(withheld) <= 0.05 * len(cases), withheld


def test_the_corpus_holds_both_kinds_in_both_languages() -> None:
    assert len(corpus.true_cases()) + len(corpus.false_cases()) >= 300
    for cases in (corpus.true_cases(), corpus.false_cases()):
        assert sum(case.language == "en" for case in cases) >= 30
        assert sum(case.language == "zh" for case in cases) >= 30


async def test_every_code_that_is_given_is_explained() -> None:
    assert {code for code in await _codes(corpus.false_cases()) if code} <= CODES.keys()


async def test_a_true_reason_that_cites_another_event_is_withheld() -> None:
    task = await corpus.task("en")
    labels = {line.event.item: line.label for line in task.summary.lines if line.event}
    text = "You loved Alien on cinema, so this film may suit you."
    place = corpus.TARGETS.index("The Thing")
    assert check(Draft(place, text, (labels["Alien"],)), task) is None
    assert check(Draft(place, text, (labels["Heat"],)), task) == "title"


async def test_a_platform_that_may_not_be_mentioned_is_neither_named_nor_cited() -> None:
    task = await corpus.task("en", silent=("cinema",))
    labels = {line.event.item: line.label for line in task.summary.lines if line.event}
    named = Draft(0, "You watched The Matrix on cinema.", (labels["The Matrix"],))
    cited = Draft(0, "You loved Alien, so this film may suit you.", (labels["Alien"],))
    assert check(named, task) == "silent_platform"
    assert check(cited, task) == "silent_platform"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("You loved Alien, so <b>this</b> fits.", "markup"),
        ("You loved Alien, so this fits", "incomplete"),
        ("You loved Alien, so this fits...", "incomplete"),
        ("you loved Alien, so this fits.", "incomplete"),
        ("You loved Alien, as h3 says.", "markup"),
        ("因为你喜欢《Alien》。", "language"),
        ("You loved Alien. " * 30, "length"),
    ],
)
async def test_form_is_checked_before_content(text: str, code: str) -> None:
    task = await corpus.task("en")
    label = next(line.label for line in task.summary.lines if line.event and line.event.item == "Alien")
    assert check(Draft(0, text, (label,)), task) == code
