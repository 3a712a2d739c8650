"""What every engine promises; subclasses give `model`. Imports only what vLLM's own environment has."""

from __future__ import annotations

import asyncio
import json

import pytest

from prompts import load
from recall.errors import ModelError
from recall.types import Item
from rerank.config import RankConfig, ReasonsConfig
from rerank.methods import METHODS, RankTask
from rerank.reasons import ReasonTask, write_reasons
from rerank.summary import Line, Summary
from rerank.types import Cause, ChatModel, Deadline, Message, Sampling

PATIENCE = 60.0
"""Seconds that an answer may take where time is not what is tested: other tests run beside."""

ASK = (Message("system", "You order things."), Message("user", "Order A and B."))
SCHEMA = {
    "type": "object",
    "properties": {"order": {"type": "array", "items": {"type": "string", "enum": ["A", "B"]}}},
    "required": ["order"],
    "additionalProperties": False,
}


class Contract:
    """Subclasses give `model`."""

    async def test_a_reply_has_text_model_and_usage(self, model: ChatModel) -> None:
        reply = await model.chat(ASK, sampling=Sampling(8), deadline=Deadline.after(PATIENCE))
        assert reply.text and reply.model and reply.usage.prompt > 0 and reply.usage.completion > 0

    async def test_a_schema_is_followed(self, model: ChatModel) -> None:
        reply = await model.chat(ASK, sampling=Sampling(80), deadline=Deadline.after(PATIENCE), schema=SCHEMA)
        assert set(json.loads(reply.text)["order"]) <= {"A", "B"}

    async def test_labels_have_log_probabilities_and_nothing_else_has(self, model: ChatModel) -> None:
        results = await model.label_scores(
            [ASK, ASK[1:]], labels=["A", "B"], deadline=Deadline.after(PATIENCE)
        )
        assert len(results) == 2
        for scores in results:
            assert set(scores.logprobs) == {"A", "B"}
            assert all(value < 0 for value in scores.logprobs.values())

    async def test_no_prompts_give_no_scores(self, model: ChatModel) -> None:
        assert await model.label_scores([], labels=["A"], deadline=Deadline.after(PATIENCE)) == []

    async def test_count_grows_with_the_text(self, model: ChatModel) -> None:
        longer = (*ASK, Message("user", "and then put C, D and E behind them, please"))
        assert 0 < await model.count(ASK) < await model.count(longer)

    async def test_a_deadline_that_has_passed_is_an_error_with_its_cause(self, model: ChatModel) -> None:
        with pytest.raises(ModelError) as failure:
            await model.chat(ASK, sampling=Sampling(8), deadline=Deadline.after(0))
        assert failure.value.cause == Cause.DEADLINE

    async def test_cancelled_calls_leave_the_next_one_as_it_was(self, model: ChatModel) -> None:
        task = asyncio.create_task(model.chat(ASK, sampling=Sampling(50), deadline=Deadline.after(PATIENCE)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await model.chat(ASK, sampling=Sampling(8), deadline=Deadline.after(PATIENCE))).text


LINES = (
    'h1: 2024-03-02 on cinema rated 5 of 5: "Alien" (1979), Horror, Sci-Fi',
    'h2: 2024-02-11 on shop bought: "Blade Runner" (1982), Sci-Fi, Thriller',
    'h3: 2024-01-20 on cinema rated 2 of 5: "Notting Hill" (1999), Comedy, Romance',
)
HISTORY = Summary(tuple(Line(f"h{n}", text[4:]) for n, text in enumerate(LINES, 1)), "\n".join(LINES), 90)
FILMS = tuple(
    Item(f"i{n}", title, year, categories=(genre,))
    for n, (title, year, genre) in enumerate(
        [
            ("The Terminator", 1984, "Sci-Fi"),
            ("Sleepless in Seattle", 1993, "Romance"),
            ("The Thing", 1982, "Horror"),
            ("Toy Story", 1995, "Animation"),
            ("Heat", 1995, "Crime"),
            ("Four Weddings and a Funeral", 1994, "Comedy"),
        ]
    )
)


def task(method: str) -> RankTask:
    prompt = load(METHODS[method].prompt, domain="films")
    return RankTask(HISTORY, FILMS, prompt, settings=RankConfig(method=method))  # type: ignore[arg-type]


class MethodContract:
    """All methods and reasons, for engines with a model behind them."""

    @pytest.mark.parametrize("method", ["logits", "pointwise"])
    async def test_a_method_over_log_probabilities_places_every_candidate(
        self, model: ChatModel, method: str
    ) -> None:
        ranking = await METHODS[method].rank(task(method), model, Deadline.after(PATIENCE))
        assert ranking.cause is None
        assert ranking.places == ("model",) * len(FILMS)
        assert sorted(ranking.order) == list(range(len(FILMS)))

    async def test_listwise_is_answered_under_its_schema(self, model: ChatModel) -> None:
        ranking = await METHODS["listwise"].rank(task("listwise"), model, Deadline.after(PATIENCE))
        [call] = ranking.calls
        assert call.reply is not None and set(json.loads(call.reply)["order"]) <= set("ABCDEF")
        assert sorted(ranking.order) == list(range(len(FILMS))) and "model" in ranking.places

    async def test_reasons_are_answered_under_their_schema(self, model: ChatModel) -> None:
        asked = ReasonTask(
            HISTORY,
            FILMS[:2],
            {},
            load("reasons-item", domain="films"),
            settings=ReasonsConfig(per="item"),
        )
        written = [part async for part in write_reasons(asked, model, Deadline.after(PATIENCE))]
        assert sorted(place for part in written for place in part.places) == [0, 1]
        for part in written:
            assert part.call is not None and part.call.reply is not None
            if part.cause is not Cause.TRUNCATED:
                assert isinstance(json.loads(part.call.reply)["reasons"], list)

    async def test_the_same_question_is_ordered_the_same_way_again(self, model: ChatModel) -> None:
        first = await METHODS["pointwise"].rank(task("pointwise"), model, Deadline.after(PATIENCE))
        again = await METHODS["pointwise"].rank(task("pointwise"), model, Deadline.after(PATIENCE))
        assert first.order == again.order
