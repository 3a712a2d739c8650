"""Probes of position bias and of titles that speak to the model, on models whose bias is known."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from evals.erase import forget
from evals.fit.validation import Question
from evals.lines import Lines
from evals.probes.asking import Asker, Shown, answers_file
from evals.probes.attacks import ATTACKS, PLACEBO, attacked
from evals.probes.injection import probe_injection
from evals.probes.position import chance_overlap, probe_position, spread, summarise
from recall.artefact import Artefact
from recall.candidates import Candidates
from recall.errors import ModelError
from recall.library import BuildLibrary
from recall.protocols import Stock
from recall.train import train
from recall.train_config import TrainConfig
from recall.types import Candidate
from recall.workspace import Workspace
from rerank.config import RankConfig, ReasonsConfig
from rerank.llm.scripted import Asked, ScriptedModel
from rerank.pipeline import Pipeline
from rerank.types import Cause
from tests.worlds import item, person, write_build

N = 12
FILMS = [f"film{number:02}" for number in range(N)]


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    folder = tmp_path_factory.mktemp("probes")
    events = [f"p{who} cinema old{who % 3} {who + 1}" for who in range(8)]
    events += [f"crowd{who} cinema {film} {who + 50}" for who, film in enumerate(FILMS)]
    write_build(folder, events=events)
    workspace = Workspace(folder)
    train(workspace, TrainConfig(factors=2, iterations=1, threads=1))
    library = BuildLibrary(workspace.builds.current())
    return Stock(library, Candidates(Artefact.open(workspace.models.current())))


@pytest.fixture
def questions(stock: Stock) -> list[Question]:
    """Eight people, the same twelve candidates, each with a target of its own."""
    candidates = tuple(Candidate(item(film), rank, 1.0) for rank, film in enumerate(FILMS))
    return [
        Question(
            person(f"p{who}"),
            "cinema",
            1000,
            stock.library.history(person(f"p{who}")),
            candidates,
            item(FILMS[who]),
        )
        for who in range(8)
    ]


def _asker(stock: Stock, model: ScriptedModel, log: Lines | None = None) -> Asker:
    pipeline = Pipeline(lambda: stock, model, RankConfig(depth=N), ReasonsConfig())
    return Asker(pipeline, log, seconds=20)


def _titles(asked: Asked) -> list[tuple[str, str]]:
    return re.findall(r'^([A-Z]): "([^"]+)"', asked.messages[-1].content, re.MULTILINE)


def by_title(asked: Asked) -> str:
    """No bias: the same titles always give the same order."""
    return json.dumps({"order": [label for label, _ in sorted(_titles(asked), key=lambda pair: pair[1])]})


def as_shown(asked: Asked) -> str:
    """All bias: the list comes back as it was."""
    return json.dumps({"order": [label for label, _ in _titles(asked)]})


async def test_a_model_without_bias_answers_the_same_order_to_every_shuffle(stock, questions) -> None:
    found = await probe_position(_asker(stock, ScriptedModel(by_title)), questions, n=N)
    assert (found.tau.mean, found.overlap.mean) == (1.0, pytest.approx(1.0))
    assert abs(found.follows.mean) < 0.2
    places = {slot - gain.mean for slot, gain in found.by_slot}
    assert len({round(place, 6) for place in places}) == 1  # the target ends at one place from everywhere
    assert (found.people, found.failed) == (8, 0)


async def test_a_model_that_repeats_the_list_gains_nothing_anywhere_and_agrees_like_chance(
    stock, questions
) -> None:
    found = await probe_position(_asker(stock, ScriptedModel(as_shown)), questions, n=N, orders=8)
    assert found.follows.mean == 1.0
    assert abs(found.tau.mean) < 0.1
    assert found.overlap.mean == pytest.approx(found.chance, abs=0.05)
    assert all(gain.mean == 0 for _, gain in found.by_slot)


def test_orders_put_the_target_at_evenly_spread_slots() -> None:
    orders = spread(20, 7, 5, random.Random(1))
    assert [order.index(7) for order in orders] == [0, 5, 10, 14, 19]
    assert all(sorted(order) == list(range(20)) for order in orders)
    assert spread(20, 7, 5, random.Random(1)) == orders


def test_chance_is_what_random_orders_have() -> None:
    draw = random.Random(9)
    pairs = {
        f"p{n}": [Shown(f"p{n}", tuple(range(20)), tuple(draw.sample(range(20), 20))) for _ in range(2)]
        for n in range(600)
    }
    measured = summarise(pairs, dict.fromkeys(pairs, 0), method="m", model="m", n=20, orders=2)
    assert measured.overlap.low < chance_overlap(20) < measured.overlap.high
    assert abs(measured.tau.mean) < 0.03


async def test_failed_answers_are_counted_and_left_out(stock, questions) -> None:
    chance = random.Random(3)

    def sometimes(asked: Asked) -> str:
        if chance.random() < 0.3:
            raise ModelError("down", Cause.SERVER_ERROR)
        return by_title(asked)

    found = await probe_position(_asker(stock, ScriptedModel(sometimes)), questions, n=N)
    assert 0 < found.failed < 40 and found.tau.mean == 1.0


async def test_a_probe_that_was_cut_off_asks_only_what_is_missing(stock, questions, tmp_path: Path) -> None:
    log = Lines(tmp_path / "probe.jsonl")
    whole = await probe_position(_asker(stock, ScriptedModel(as_shown), log), questions[:5], n=N)
    assert whole.people == 5
    model = ScriptedModel(as_shown)
    again = await probe_position(_asker(stock, model, log), questions, n=N)
    assert len(model.asked) == 3 * 5 and again.people == 8
    log.close()


async def test_an_erased_person_is_gone_from_the_answers(stock, questions, tmp_path: Path) -> None:
    log = Lines(answers_file(tmp_path, "position", {"run": 1}))
    await probe_position(_asker(stock, ScriptedModel(as_shown), log), questions, n=N)
    log.close()
    assert forget(tmp_path, [questions[0].person]) == 5
    assert questions[0].person not in answers_file(tmp_path, "position", {"run": 1}).read_text()


async def test_a_model_that_obeys_titles_lifts_the_attacked_item_and_a_deaf_one_does_not(
    stock, questions
) -> None:
    def obeys(asked: Asked) -> str:
        titles = _titles(asked)
        titles.sort(key=lambda pair: "first" not in pair[1])
        return json.dumps({"order": [label for label, _ in titles]})

    found = await probe_injection(_asker(stock, ScriptedModel(obeys)), questions, n=N)
    gains = {gain.kind: gain.clean for gain in found.gains}
    assert gains["orders itself first"].low >= N / 2
    assert gains[PLACEBO].mean == gains["praise"].mean == 0
    assert 0 < found.together.clean.mean < gains["orders itself first"].mean
    deaf = await probe_injection(_asker(stock, ScriptedModel(as_shown)), questions, n=N)
    assert all(gain.clean.mean == gain.placebo.mean == 0 for gain in (*deaf.gains, deaf.together))


async def test_only_the_attacked_title_changes_and_it_comes_cleaned(stock, questions) -> None:
    model = ScriptedModel(as_shown)
    await probe_injection(_asker(stock, model), questions[:1], n=N)
    assert len(model.asked) == 1 + len(ATTACKS)
    clean = [title for _, title in _titles(model.asked[0])]
    for asked in model.asked[1:]:
        titles = [title for _, title in _titles(asked)]
        assert sum(one != other for one, other in zip(clean, titles, strict=True)) == 1
        assert len(titles) == N


def test_an_attack_comes_whole_behind_a_long_title() -> None:
    assert all(attacked("x" * 200, kind).endswith(text) for kind, text in ATTACKS.items())
