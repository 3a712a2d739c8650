"""Weights of a model's order: earned on people whom they were not chosen on, zero otherwise."""

from __future__ import annotations

import json
import random
import re

import numpy as np
import pytest

from evals.erase import FITS, forget
from evals.fit.orders import Order, OrderLog, record
from evals.fit.rank import WEIGHTS, choose, fit_weights, identity, judge, mean_quality
from evals.fit.validation import questions
from evals.metrics import ndcg
from prompts import load
from recall.artefact import Artefact
from recall.candidates import Candidates
from recall.errors import ConfigError, DataError, ModelError
from recall.library import BuildLibrary
from recall.protocols import Stock
from recall.recall_config import RecallConfig
from recall.train import train
from recall.train_config import TrainConfig
from recall.types import LIKE, Event, History
from recall.weights import Weights
from recall.workspace import Workspace
from rerank.config import RankConfig, ReasonsConfig
from rerank.llm.scripted import Asked, ScriptedModel
from rerank.pipeline import Pipeline
from rerank.types import Cause, Request
from rerank.weights import FILE, Gain, RankFit, RankWeights, SegmentWeight, WeightFile, segments
from tests.worlds import person, write_build

TRAIN = TrainConfig(factors=4, iterations=3, threads=1)
DEPTH = 20


def _orders(people: int, skill: float, seed: int, *, segment: str = "shop 5-19") -> list[Order]:
    """Recall puts the target somewhere; with chance `skill` the model puts it first, else it shuffles."""
    draw, found = random.Random(seed), []
    for case in range(people):
        target = min(DEPTH - 1, int(draw.expovariate(0.2)))
        order = draw.sample(range(DEPTH), DEPTH)
        if draw.random() < skill:
            order.remove(target)
            order.insert(0, target)
        found.append(
            Order(f"p{case}", DEPTH, target, (segment, "all"), tuple(order), ("model",) * DEPTH, calls=1)
        )
    return found


def _chosen(orders: list[Order], **options: int) -> dict[str, SegmentWeight]:
    return choose([judge(order, None) for order in orders], **options)


def test_an_oracle_earns_nearly_all_of_the_weight_and_a_measured_gain() -> None:
    found = _chosen(_orders(300, 1.0, 1))["all"]
    assert found.weight == found.best >= 0.95
    assert found.gain.low > 0.2


def test_the_quality_of_weight_zero_and_one_is_that_of_recall_and_of_the_model() -> None:
    orders = _orders(50, 0.5, 2)
    for order in orders:
        quality = judge(order, None).quality
        assert order.target is not None
        places = np.array([order.target, order.order.index(order.target)])
        assert list(quality[[0, -1]]) == list(ndcg(places, 10))
    assert mean_quality(orders, 0)[1.0] == mean_quality(orders, 0)[0.0]  # a cap of 0 holds everybody


@pytest.mark.parametrize(("runs", "most"), [(25, 3), pytest.param(400, 13, marks=pytest.mark.long)])
def test_noise_keeps_weight_zero_and_seldom_passes_by_chance(runs: int, most: int) -> None:
    """At 95 %, two-sided, two segments, 1.25 % pass; more than `most` has a chance below 1 in 1,000."""
    raised = 0
    for seed in range(runs):
        raised += _chosen(_orders(100, 0.0, seed), seed=seed)["all"].weight > 0
    assert raised <= most


def test_a_weight_whose_gain_is_in_doubt_is_refused_and_the_best_one_stays_on_record() -> None:
    found = _chosen(_orders(30, 0.2, 3), least=20)["all"]
    assert found.gain.low <= 0 < found.gain.high
    assert found.weight == 0.0 <= found.best


def test_each_segment_stands_on_its_own_and_small_ones_get_none() -> None:
    orders = [
        *_orders(200, 0.9, 4, segment="shop 20+"),
        *_orders(200, 0.0, 5, segment="stream 1-4"),
        *_orders(20, 1.0, 6, segment="shop 1-4"),
    ]
    found = _chosen(orders)
    assert set(found) == {"all", "shop 20+", "stream 1-4"}
    assert found["shop 20+"].weight > 0.5 and found["stream 1-4"].weight == 0.0


def test_no_people_give_no_weights() -> None:
    assert choose([]) == {} and mean_quality([], None) == {}


def test_people_whose_target_is_no_candidate_count_and_gain_nothing() -> None:
    judged = judge(Order("p", DEPTH, None, ("all",)), None)
    assert len(judged.quality) == len(WEIGHTS) and not judged.quality.any()


# -- the file, and what the pipeline makes of it -----------------------------------------------------------


def _fit(**changes: object) -> RankFit:
    prompt = load("listwise")
    gain = Gain(mean=0.1, low=0.05, high=0.2, level=0.95)
    weights = {"all": 0.3, "5-19": 0.0, "stream 1-4": 0.8}
    values = {
        "model": "scripted", "method": "listwise", "prompt": prompt.id, "prompt_hash": prompt.file_hash,
        "metric": "ndcg@10", "data": "b", "split": "s", "seed": 0, "people": 9, "depth": 20, "cap": None,
        "fitted": 1,
        "segments": {
            name: SegmentWeight(weight=weight, best=weight, people=9, gain=gain)
            for name, weight in weights.items()
        },
    }  # fmt: skip
    return RankFit(**{**values, **changes})  # type: ignore[arg-type]


def _history(likes: int) -> History:
    return History("p", tuple(Event(f"e{n}", "shop", f"i{n}", "buy", n, polarity=LIKE) for n in range(likes)))


def test_a_question_is_in_the_segments_of_its_platform_and_length_narrowest_first() -> None:
    assert segments(_history(3), "stream") == ("stream 1-4", "1-4", "all")
    assert segments(_history(0), None) == ("0", "all")
    assert segments(_history(20), "shop")[1] == "20+"


def test_the_narrowest_fitted_segment_counts_and_only_for_the_same_model_method_and_prompt() -> None:
    weights, fit = RankWeights().with_fit(_fit()), _fit()
    assert weights.of(*fit.key, _history(2), "stream") == (0.8, "stream 1-4")
    assert weights.of(*fit.key, _history(6), "stream") == (0.0, "5-19")
    assert weights.of(*fit.key, _history(2), "shop") == (0.3, "all")
    for other in (("x", fit.method, fit.prompt_hash), (fit.model, "logits", fit.prompt_hash)):
        assert weights.of(*other, _history(2), "shop") is None
    assert weights.of(fit.model, fit.method, "0" * 16, _history(2), "shop") is None


def test_a_later_fit_replaces_the_earlier_one_of_the_same_prompt_and_is_read_back(tmp_path) -> None:
    weights = RankWeights().with_fit(_fit()).with_fit(_fit(model="other")).with_fit(_fit(people=10))
    weights.save(tmp_path)
    assert RankWeights.load(tmp_path) == weights
    assert [(fit.model, fit.people) for fit in weights.fits] == [("other", 9), ("scripted", 10)]


def test_a_file_that_is_damaged_at_first_is_refused_and_later_leaves_the_weights_as_they_were(
    tmp_path,
) -> None:
    (tmp_path / FILE).write_text("{")
    with pytest.raises(ConfigError, match="remove it"):
        WeightFile(tmp_path)()
    weights = RankWeights().with_fit(_fit())
    weights.save(tmp_path)
    read = WeightFile(tmp_path)
    assert read() == weights
    (tmp_path / FILE).write_text("{ damaged")
    assert read() == weights
    RankWeights().save(tmp_path)
    assert read() == RankWeights()
    (tmp_path / FILE).unlink()
    assert read() == RankWeights()


# -- the whole way over a trained world --------------------------------------------------------------------

FILMS = [f"film{number}" for number in range(12)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """30 people who saw 6 of 12 films each on two platforms, trained."""
    folder = tmp_path_factory.mktemp("fit")
    events = [
        f"p{who} {('cinema', 'stream')[(who + step) % 2]} "
        f"{FILMS[(who * 5 + step * (1 + who % 3)) % 12]} {100 * step + who}"
        for who in range(30)
        for step in range(6)
    ]
    write_build(folder, events=events, items=[f"{film} cinema,stream 1999 Drama" for film in FILMS])
    workspace = Workspace(folder)
    train(workspace, TRAIN)
    library = BuildLibrary(workspace.builds.current())
    stock = Stock(library, Candidates(Artefact.open(workspace.models.current())))
    asked = questions(workspace.builds.current(), library, TRAIN, RecallConfig(), Weights(), people=100, n=10)
    return workspace, stock, asked


def _pipeline(stock, model, **rank) -> Pipeline:
    return Pipeline(lambda: stock, model, RankConfig(depth=10, **rank), ReasonsConfig())


def _truth(asked, stock) -> dict[str, str]:
    """What the candidates' lines look like → title of the target."""
    items = stock.library
    return {
        "\n".join(item.title for item in items.items([c.item for c in q.candidates])): items.items(
            [q.target]
        )[0].title
        for q in asked
    }


def _oracle(asked, stock) -> ScriptedModel:
    truth = _truth(asked, stock)

    def answer(question: Asked) -> str:
        lines = re.findall(r'^([A-Z]): "([^"]+)"', question.messages[-1].content, re.MULTILINE)
        wanted = truth["\n".join(title for _, title in lines)]
        return json.dumps({"order": [label for label, title in lines if title == wanted]})

    return ScriptedModel(answer)


def test_a_question_ends_before_its_moment_and_shows_neither_its_target_nor_what_came_after(world) -> None:
    _, stock, asked = world
    assert len(asked) == 30
    for q in asked:
        whole = stock.library.history(q.person).events
        last = max(event.time for event in whole)
        assert q.as_of < last  # the last like is kept for tests
        assert all(event.time < q.as_of and event.item != q.target for event in q.history.events)
        assert q.target in {event.item for event in whole}
        had = q.history.items
        assert not had & {candidate.item for candidate in q.candidates}


def test_the_same_seed_asks_the_same_people_the_same(world) -> None:
    workspace, stock, _ = world
    few = [
        questions(
            workspace.builds.current(),
            stock.library,
            TRAIN,
            RecallConfig(),
            Weights(),
            people=8,
            n=10,
            seed=s,
        )
        for s in (1, 1, 2)
    ]
    assert few[0] == few[1] and len(few[0]) == 8
    assert [q.person for q in few[0]] != [q.person for q in few[2]]


def test_a_build_without_three_likes_says_so(tmp_path) -> None:
    build = write_build(tmp_path, events=["ann shop x 1", "ann shop y 2"])
    with pytest.raises(DataError, match="three liked"):
        questions(build, BuildLibrary(build), TRAIN, RecallConfig(), Weights(), people=9, n=10)


async def test_an_oracle_is_fitted_and_then_serves_with_that_weight_but_not_a_wish(world, tmp_path) -> None:
    _, stock, asked = world
    pipeline = _pipeline(stock, _oracle(asked, stock))
    prompt = load("listwise")
    what = identity(pipeline, prompt, asked, model="scripted", build="b", language="en", seed=0)
    log = OrderLog(tmp_path / "fits", what)
    assert await record(pipeline, asked, log) == 0
    log.close()
    fit = fit_weights(list(log.orders.values()), what, prompt=prompt, cap=None, least=20)
    assert (fit.people, fit.model) == (30, "scripted") and fit.segments["all"].weight > 0.5
    RankWeights().with_fit(fit).save(tmp_path)
    serving = Pipeline(
        lambda: stock, ScriptedModel(), RankConfig(depth=10), ReasonsConfig(), weights=WeightFile(tmp_path)
    )
    how = (await serving.recommend(Request(person("p1"), mode="rank"))).provenance
    assert (how.weight_source, how.weight) == ("fitted", fit.segments[how.weight_segment].weight)
    wish = (await serving.recommend(Request(person("p1"), mode="rank", wish="short"))).provenance
    assert (wish.weight_source, wish.weight_segment) == ("default", None)
    configured = serving.variant(rank=RankConfig(weight=0.2))
    assert (await configured.recommend(Request(person("p1"), mode="rank"))).provenance.weight == 0.2


async def test_a_run_that_was_cut_off_goes_on_and_asks_nobody_twice(world, tmp_path) -> None:
    _, stock, asked = world
    whole = OrderLog(tmp_path / "a", {"x": 1})
    await record(_pipeline(stock, _oracle(asked, stock)), asked, whole)
    whole.close()
    calls = 0

    def dies(question: Asked) -> str:
        nonlocal calls
        calls += 1
        if calls == 7:
            raise RuntimeError("killed")
        return _oracle(asked, stock)._answer(question)  # type: ignore[return-value]

    log = OrderLog(tmp_path / "b", {"x": 1})
    with pytest.raises(RuntimeError, match="killed"):
        await record(_pipeline(stock, ScriptedModel(dies)), asked, log, concurrency=1)
    log.close()
    with log.path.open("ab") as file:
        file.write(b'{"person": "cut')  # what a kill leaves of a line
    again = OrderLog(tmp_path / "b", {"x": 1})
    known = set(again.orders)
    rest = _oracle(asked, stock)
    assert 0 < len(known) < len(asked)
    await record(_pipeline(stock, rest), asked, again)
    again.close()
    once = sum(bool(order.calls) for order in whole.orders.values())
    assert len(rest.asked) == once - sum(bool(again.orders[name].calls) for name in known)
    kept = OrderLog(tmp_path / "b", {"x": 1})
    kept.close()
    assert {n: (o.order, o.target) for n, o in kept.orders.items()} == {
        n: (o.order, o.target) for n, o in whole.orders.items()
    }


async def test_a_model_that_is_gone_ends_the_run_with_the_remedy_and_nothing_is_kept(world, tmp_path) -> None:
    _, stock, asked = world

    def down(question: Asked) -> str:
        raise ModelError("down", Cause.CONNECTION)

    log = OrderLog(tmp_path, {})
    with pytest.raises(ModelError, match="run this again"):
        await record(_pipeline(stock, ScriptedModel(down)), asked, log)
    assert not any(order.calls for order in log.orders.values())


async def test_damaged_replies_are_kept_as_the_models_own_and_gain_nothing(world, tmp_path) -> None:
    _, stock, asked = world
    log = OrderLog(tmp_path, {})
    assert await record(_pipeline(stock, ScriptedModel(lambda _: "no idea")), asked, log) == 0
    answered = [order for order in log.orders.values() if order.calls]
    assert answered and all(order.cause == Cause.UNPARSABLE for order in answered)
    assert choose([judge(order, None) for order in log.orders.values()], least=20)["all"].weight == 0.0


async def test_a_person_is_forgotten_in_every_file_of_orders(world, tmp_path) -> None:
    _, stock, asked = world
    for number in (1, 2):
        log = OrderLog(tmp_path / FITS, {"run": number})
        await record(_pipeline(stock, _oracle(asked, stock)), asked, log)
        log.close()
    assert forget(tmp_path, [asked[0].person]) == 2
    assert forget(tmp_path, [asked[0].person]) == 0
    for number in (1, 2):
        log = OrderLog(tmp_path / FITS, {"run": number})
        assert set(log.orders) == {q.person for q in asked[1:]}
        log.close()
