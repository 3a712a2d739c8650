"""The whole way from a small trained world to an answer, with engines that answer, fail and hang."""

import asyncio
import json
import re
import time

import pytest

from api.migrations import open_migrated
from recall.artefact import Artefact
from recall.candidates import Candidates
from recall.errors import ConfigError, ModelError, NotFound
from recall.library import BuildLibrary
from recall.protocols import Stock
from recall.train import train
from recall.train_config import TrainConfig
from recall.types import Candidate, History
from recall.workspace import Workspace
from rerank.config import RankConfig, ReasonsConfig
from rerank.llm import LLMConfig, make_model
from rerank.llm.layers import Layers
from rerank.llm.limits_config import BudgetConfig, CacheConfig
from rerank.llm.scripted import ScriptedModel
from rerank.pipeline import Pipeline
from rerank.types import Cause, Deadline, Done, Ranked, Reasoned, Recalled, Request, Status, Usage
from tests.fault_server import fault_server
from tests.worlds import item, person, write_build

PLATFORMS = ("cinema", "stream")
FILMS = [f"film{number}" for number in range(12)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipeline")
    events = [
        f"p{who} {PLATFORMS[(who + step) % 2]} {FILMS[(who * 3 + step * 2) % 12]} {100 * step + who}"
        for who in range(10)
        for step in range(4)
    ]
    write_build(folder, events=events, items=[f"{film} cinema,stream 1999 Drama" for film in FILMS])
    workspace = Workspace(folder)
    train(workspace, TrainConfig(factors=4, iterations=3, threads=1))
    library = BuildLibrary(workspace.builds.current())
    return library, Candidates(Artefact.open(workspace.models.current()))


def pipeline(world, model, rank=None, **reasons):
    return Pipeline(lambda: Stock(*world), model, rank or RankConfig(), ReasonsConfig(**reasons))


def reverse(asked):
    """A model that turns the list round and writes no reasons."""
    wanted = asked.schema["properties"]
    if "order" in wanted:
        return json.dumps({"order": list(wanted["order"]["items"]["enum"])[::-1]})
    return json.dumps({"reasons": []})


def ids(answer):
    return [ranked.item.id for ranked in answer.items]


async def recall_order(world, **request):
    answer = await pipeline(world, None).recommend(Request(person("p1"), k=5, mode="recall", **request))
    return ids(answer)


async def test_without_a_model_the_answer_is_recall_order_with_template_reasons(world):
    answer = await pipeline(world, None).recommend(Request(person("p1"), k=5))
    assert ids(answer) == await recall_order(world)
    assert answer.provenance.rerank_status == Status.SKIPPED
    assert answer.provenance.cause == Cause.NO_MODEL
    assert all(ranked.reason.author == "template" and ranked.reason.text for ranked in answer.items)


async def test_a_model_with_full_weight_decides_the_order(world):
    answer = await pipeline(world, ScriptedModel(reverse, weight=1.0)).recommend(Request(person("p1"), k=20))
    before = [c.item for c in sorted((ranked.candidate for ranked in answer.items), key=lambda one: one.rank)]
    assert ids(answer) == before[::-1]
    assert answer.provenance.rerank_status == Status.FULL
    assert answer.provenance.weight_source == "default"
    assert [ranked.model_rank for ranked in answer.items] == list(range(1, len(before) + 1))


async def test_a_model_of_weight_zero_is_asked_and_moves_nothing(world):
    model = ScriptedModel(reverse, weight=0.0)
    answer = await pipeline(world, model).recommend(Request(person("p1"), k=5))
    assert ids(answer) == await recall_order(world)
    assert model.asked and answer.items[0].model_rank > 1


@pytest.mark.parametrize("cause", [Cause.CONNECTION, Cause.RATE_LIMITED, Cause.SERVER_ERROR, Cause.BAD_REPLY])
async def test_a_failing_model_costs_the_order_nothing_and_the_cause_is_said(world, cause):
    def fail(asked):
        raise ModelError("down", cause)

    answer = await pipeline(world, ScriptedModel(fail)).recommend(Request(person("p1"), k=5))
    assert ids(answer) == await recall_order(world)
    assert answer.provenance.cause == cause and answer.provenance.rerank_status == Status.SKIPPED
    assert len({ranked.reason.text for ranked in answer.items}) >= 1


async def test_a_hanging_model_is_left_at_the_deadline(world):
    began = time.monotonic()
    request = Request(person("p1"), k=5, deadline=Deadline.after(0.6))
    answer = await pipeline(world, ScriptedModel(reverse, delay=60)).recommend(request)
    assert time.monotonic() - began < 0.85
    assert ids(answer) == await recall_order(world)
    assert answer.provenance.cause == Cause.DEADLINE


async def test_given_history_and_candidates_are_used_as_they_are(world):
    candidates = tuple(Candidate(item(film), rank, 1.0 - rank / 9) for rank, film in enumerate(FILMS[:4]))
    request = Request(None, k=4, history=History(None), candidates=candidates)
    answer = await pipeline(world, None).recommend(request)
    assert ids(answer) == [candidate.item for candidate in candidates]


async def test_what_the_person_had_on_any_platform_never_comes_back(world):
    library, _ = world
    answer = await pipeline(world, None).recommend(Request(person("p1"), platform="stream", k=12))
    assert not library.had(person("p1")) & set(ids(answer))


async def test_no_account_name_reaches_the_model(world):
    model = ScriptedModel(reverse)
    await pipeline(world, model).recommend(Request(person("p1"), k=5, wish="something short"))
    sent = "\n".join(message.content for asked in model.asked for message in asked.messages)
    assert "something short" in sent
    assert person("p1") not in sent and "p1" not in sent


async def test_a_reason_that_cites_nothing_is_replaced_and_counted(world):
    def boast(asked):
        if "order" in asked.schema["properties"]:
            return reverse(asked)
        return json.dumps({"reasons": [{"item": "A", "cites": ["h99"], "text": "Everybody loves this one."}]})

    answer = await pipeline(world, ScriptedModel(boast)).recommend(Request(person("p1"), k=3))
    counts = answer.provenance.reasons
    assert counts["written"] == 1 and counts["checked"] == 0 and counts["template"] == 3
    assert answer.provenance.reasons_cause == Cause.WITHHELD
    assert answer.items[0].reason.withheld


async def test_a_prompt_of_another_method_is_refused_with_the_remedy(world):
    with pytest.raises(ConfigError, match="prompts list"):
        await pipeline(world, ScriptedModel(reverse)).recommend(Request(person("p1"), prompt="pointwise"))


async def test_an_unknown_person_is_named(world):
    with pytest.raises(NotFound, match="nobody"):
        await pipeline(world, None).recommend(Request("nobody"))


def reasons_per_item(asked):
    """Keeps the order and gives each item a reason that passes the check, after a wait told by the title."""
    wanted = asked.schema["properties"]
    if "order" in wanted:
        return json.dumps({"order": list(wanted["order"]["items"]["enum"])})
    return json.dumps({"reasons": [{"item": "A", "text": "You liked films like this.", "cites": ["h1"]}]})


async def test_a_stream_shows_recall_order_then_the_models_then_each_reason_then_the_answer(world):
    one = pipeline(world, ScriptedModel(reverse, weight=1.0))
    events = [event async for event in one.stream(Request(person("p1"), k=3))]
    assert [type(event) for event in events] == [Recalled, Ranked, Reasoned, Reasoned, Reasoned, Done]
    recalled, ranked, *reasons, done = events
    assert ids(recalled) == (await recall_order(world))[:3]
    assert ids(ranked) == ids(done.recommendation)
    assert {event.item: event.reason for event in reasons} == {
        ranked.item.id: ranked.reason for ranked in done.recommendation.items
    }


async def test_a_reason_is_streamed_before_the_next_one_is_written(world):
    release, asked = asyncio.Event(), []

    class Slow(ScriptedModel):
        async def chat(self, messages, **more):
            asked.append(messages)
            if len(asked) > 2:  # the order, the first reason; the second one waits
                await release.wait()
            return await super().chat(messages, **more)

    events = pipeline(world, Slow(reasons_per_item), per="item", concurrency=1).stream(
        Request(person("p1"), k=2)
    )
    async for event in events:
        if isinstance(event, Reasoned):
            assert not release.is_set() or event.rank == 2
            release.set()
    assert release.is_set()


async def test_a_consumer_who_leaves_cancels_the_models_calls(world):
    cancelled = asyncio.Event()

    class Hanging(ScriptedModel):
        async def chat(self, messages, **more):
            if "order" in more["schema"]["properties"]:
                return await super().chat(messages, **more)
            try:
                await asyncio.sleep(60)
            finally:
                cancelled.set()

    events = pipeline(world, Hanging(reverse), per="item").stream(Request(person("p1"), k=3))
    async for event in events:
        if isinstance(event, Ranked):
            break
    asking = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0.05)
    asking.cancel()
    async with asyncio.timeout(1):
        await cancelled.wait()


async def test_without_a_summary_no_reason_is_asked_for(world):
    class Mute(ScriptedModel):
        async def capabilities(self, deadline):
            raise ModelError("broken", Cause.SERVER_ERROR)

    model = Mute(reverse)
    answer = await pipeline(world, model).recommend(Request(person("p1"), k=3))
    assert model.asked == []
    assert answer.provenance.reasons_cause == Cause.SERVER_ERROR


async def test_a_second_identical_list_costs_no_model_call_and_another_persons_does(world, tmp_path):
    store = await asyncio.to_thread(open_migrated, f"sqlite:///{tmp_path / 'w.db'}")
    model = ScriptedModel(reasons_per_item, weight=1.0)
    async with store, Layers.open(CacheConfig(), BudgetConfig(), store) as layers:
        one = pipeline(world, layers.around(model), per="item")
        first = await one.recommend(Request(person("p1"), k=3))
        asked = len(model.asked)
        again = await one.recommend(Request(person("p1"), k=3))
        assert len(model.asked) == asked == first.provenance.calls
        assert again.provenance.cache_hits == again.provenance.calls > 0
        assert again.provenance.usage == Usage()
        assert [ranked.reason for ranked in again.items] == [ranked.reason for ranked in first.items]
        assert (await one.recommend(Request(person("p2"), k=3))).provenance.cache_hits == 0


async def test_a_request_that_may_cost_no_more_keeps_recall_order_and_says_budget(world):
    async with Layers.open(CacheConfig(), BudgetConfig(request_tokens=20), None) as layers:
        one = pipeline(world, layers.around(ScriptedModel(reverse, weight=1.0)))
        answer = await one.recommend(Request(person("p1"), k=5))
    assert ids(answer) == await recall_order(world)
    assert answer.provenance.cause == answer.provenance.reasons_cause == Cause.BUDGET
    assert answer.provenance.rerank_status == Status.SKIPPED


@pytest.mark.parametrize("fault", ["hang", "drip", "reset", "500", "html"])
async def test_a_fault_of_the_endpoint_leaves_no_task_and_no_connection(world, fault):
    async with fault_server() as server:
        model = make_model(LLMConfig(base_url=server.url), {})
        one = pipeline(world, model)
        await one.recommend(Request(person("p1"), k=3, deadline=Deadline.after(5)))
        tasks, connections = len(asyncio.all_tasks()), server.open
        server.fault = fault
        await one.recommend(Request(person("p1"), k=3, deadline=Deadline.after(0.4)))
        for _ in range(300):  # the dripping server notices at its next byte
            if server.open <= connections and len(asyncio.all_tasks()) <= tasks:
                break
            await asyncio.sleep(0.01)
        assert server.open <= connections
        assert len(asyncio.all_tasks()) <= tasks
        await model.aclose()


def reasons_of_list(asked):
    """Turns the list round; gives each item that is asked about a reason that cites the first line."""
    wanted = asked.schema["properties"]
    if "order" in wanted:
        return json.dumps({"order": list(wanted["order"]["items"]["enum"])})
    shown = re.findall(r"^([A-Z]): ", asked.messages[-1].content, re.MULTILINE)
    reasons = [
        {"item": label, "text": "You liked films like this.", "cites": ["h1", label]} for label in shown
    ]
    return json.dumps({"reasons": reasons})


async def test_of_a_list_that_changed_by_one_item_only_that_item_s_reason_is_asked_for(world, tmp_path):
    store = await asyncio.to_thread(open_migrated, f"sqlite:///{tmp_path / 'w.db'}")
    model = ScriptedModel(reasons_of_list)
    async with store, Layers.open(CacheConfig(), BudgetConfig(), store) as layers:
        one = pipeline(world, layers.around(model), RankConfig(method="keep-order"))
        order = await recall_order(world)

        async def explained(*items):
            given = tuple(Candidate(item, rank, 1.0) for rank, item in enumerate(items))
            return await one.recommend(Request(person("p1"), k=len(items), candidates=given))

        first = await explained(*order[:3])
        again = await explained(order[3], order[1], order[0])
        assert [len(re.findall("^[A-Z]: ", each.messages[-1].content, re.M)) for each in model.asked] == [
            3,
            1,
        ]
        assert "A: " in model.asked[-1].messages[-1].content
        before = {ranked.item.id: ranked.reason for ranked in first.items}
        for ranked in again.items[1:]:
            assert ranked.reason.author == before[ranked.item.id].author
            assert ranked.reason.text == before[ranked.item.id].text
        assert again.provenance.cache_hits == 1
