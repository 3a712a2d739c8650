"""A question is asked once: each answer is kept for its model and person alone, and can be erased."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from api.migrations import open_migrated
from recall.errors import ModelError
from recall.store import Store, open_store
from recall.store.links import save_aliases
from rerank.llm.asker import Asker
from rerank.llm.cache import Cache
from rerank.llm.cached import CachedModel
from rerank.llm.fallback import Fallback
from rerank.llm.limits_config import CacheConfig
from rerank.llm.scripted import ScriptedModel
from rerank.llm.tables import MODEL_ANSWERS
from rerank.types import Cause, ChatModel, Deadline, Message, Reply, Sampling, Usage

ASK = (Message("user", "Order A and B."),)


async def say(model: ChatModel, text: str = "Order A and B.", seconds: float = 5.0, **more: Any) -> Reply:
    sampling = more.pop("sampling", Sampling(8))
    return await model.chat(
        (Message("user", text),), sampling=sampling, deadline=Deadline.after(seconds), **more
    )


@pytest.fixture
async def cache(store: Store) -> AsyncIterator[Cache]:
    made = Cache(store, CacheConfig())
    yield made
    await made.aclose()
    await store.aclose()


async def test_the_second_identical_call_costs_nothing_and_says_so(cache: Cache, store: Store) -> None:
    model = ScriptedModel(lambda asked: "words")
    first = await say(CachedModel(model, cache))
    again = await say(CachedModel(model, cache))  # not yet committed, or just so
    await cache.flush()
    other = await say(CachedModel(model, Cache(store, CacheConfig())))  # another process
    assert len(model.asked) == 1
    assert not first.cached and first.usage.prompt > 0
    for reply in (again, other):
        assert (reply.text, reply.model, reply.cached, reply.usage) == ("words", "scripted", True, Usage())


@pytest.mark.parametrize(
    "more",
    [
        {"text": "Order A and C."},
        {"sampling": Sampling(9)},
        {"sampling": Sampling(8, temperature=0.5)},
        {"sampling": Sampling(8, seed=1)},
        {"sampling": Sampling(8, stop=("x",))},
        {"schema": {"type": "object"}},
    ],
    ids=lambda more: next(iter(more)),
)
async def test_another_question_is_asked(cache: Cache, more: dict[str, Any]) -> None:
    model = ScriptedModel(lambda asked: "{}")
    cached = CachedModel(model, cache)
    await say(cached)
    assert not (await say(cached, **more)).cached
    assert len(model.asked) == 2


async def test_an_answer_serves_no_other_person_and_no_other_model(cache: Cache) -> None:
    answers = iter(["for ann", "for bob", "for nobody", "by another"])
    model = ScriptedModel(lambda asked: next(answers))
    cached = CachedModel(model, cache)
    assert (await say(cached.bound(Asker("ann")))).text == "for ann"
    assert (await say(cached.bound(Asker("bob")))).text == "for bob"
    assert (await say(cached)).text == "for nobody"
    other = CachedModel(ScriptedModel(lambda asked: next(answers), name="other"), cache)
    assert (await say(other.bound(Asker("ann")))).text == "by another"
    assert (await say(cached.bound(Asker("ann")))).text == "for ann"


async def test_a_model_served_anew_under_an_old_name_is_asked_again(cache: Cache) -> None:
    served = "one"
    model = ScriptedModel(lambda asked: Reply(f"by {served}", served, Usage(1, 1)))
    cached = CachedModel(model, cache)
    assert (await say(cached, "first")).text == "by one"
    served = "two"
    assert (await say(cached, "second")).text == "by two"
    assert (await say(cached, "first")).text == "by two"


async def test_a_fallbacks_answer_is_not_kept_as_the_first_ones(cache: Cache) -> None:
    def broken(asked: Any) -> str:
        raise ModelError("down", Cause.CONNECTION)

    first = CachedModel(ScriptedModel(broken, name="first"), cache)
    second = CachedModel(ScriptedModel(lambda asked: "by second", name="second"), cache)
    both = Fallback([first, second])
    assert (await say(both)).model == "second"
    healthy = CachedModel(ScriptedModel(lambda asked: "by first", name="first"), cache)
    assert (await say(healthy)).text == "by first"


@pytest.mark.parametrize(
    "answer", [Reply("cut", "scripted", truncated=True), Reply("no JSON", "scripted")], ids=["cut", "no JSON"]
)
async def test_an_answer_that_is_not_whole_is_not_kept(cache: Cache, answer: Reply) -> None:
    model = ScriptedModel(lambda asked: answer)
    for _ in range(2):
        assert not (await say(CachedModel(model, cache), schema={"type": "object"})).cached


async def test_identical_calls_at_the_same_time_run_once(cache: Cache) -> None:
    model = ScriptedModel(lambda asked: "words", delay=0.2)
    cached = CachedModel(model, cache).bound(Asker("ann"))
    replies = await asyncio.gather(*(say(cached) for _ in range(5)))
    assert len(model.asked) == 1
    assert [reply.text for reply in replies] == ["words"] * 5
    assert sum(not reply.cached for reply in replies) == 1


async def test_a_caller_who_leaves_takes_the_call_along_only_when_nobody_else_waits(cache: Cache) -> None:
    model = ScriptedModel(lambda asked: "words", delay=0.2)
    cached = CachedModel(model, cache)
    first, second = (asyncio.create_task(say(cached)) for _ in range(2))
    await asyncio.sleep(0.05)
    first.cancel()
    assert (await second).text == "words"
    before = len(asyncio.all_tasks())
    alone = asyncio.create_task(say(cached, "alone"))
    await asyncio.sleep(0.05)
    alone.cancel()
    await asyncio.gather(alone, return_exceptions=True)
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) <= before


async def test_a_caller_with_more_time_asks_again_when_the_first_ran_out_of_it(cache: Cache) -> None:
    model = ScriptedModel(lambda asked: "words", delay=0.3)
    cached = CachedModel(model, cache)
    hasty, patient = await asyncio.gather(
        say(cached, seconds=0.1), say(cached, seconds=5), return_exceptions=True
    )
    assert isinstance(hasty, ModelError) and hasty.cause == Cause.DEADLINE
    assert isinstance(patient, Reply) and patient.text == "words"


async def test_of_scores_only_what_is_new_is_asked(cache: Cache) -> None:
    model = ScriptedModel(scores=lambda asked: {"Yes": -float(len(asked.messages[0].content)), "No": -1.0})
    cached = CachedModel(model, cache)

    async def scores(*texts: str) -> list[tuple[float, bool]]:
        prompts = [(Message("user", text),) for text in texts]
        found = await cached.label_scores(prompts, labels=["Yes", "No"], deadline=Deadline.after(5))
        return [(one.logprobs["Yes"], one.cached) for one in found]

    assert await scores("a", "bb") == [(-1.0, False), (-2.0, False)]
    assert await scores("ccc", "bb", "a") == [(-3.0, False), (-2.0, True), (-1.0, True)]
    assert [one.messages[0].content for one in model.asked] == ["a", "bb", "ccc"]


async def test_a_person_is_erased_under_every_id_he_had(cache: Cache, store: Store) -> None:
    model = ScriptedModel(lambda asked: "words")
    for person in ("old", "new", "bob"):
        await say(CachedModel(model, cache).bound(Asker(person)))
    await save_aliases(store, {"old": "new"})
    assert await cache.forget("new") == 2
    again = [await say(CachedModel(model, cache).bound(Asker(person))) for person in ("old", "new", "bob")]
    assert [reply.cached for reply in again] == [False, False, True]


@pytest.mark.parametrize("same_process", [True, False])
async def test_a_call_that_ends_after_an_erasure_leaves_nothing(
    cache: Cache, store: Store, same_process: bool
) -> None:
    cached = CachedModel(ScriptedModel(lambda asked: "words", delay=0.2), cache).bound(Asker("ann"))
    call = asyncio.create_task(say(cached))
    await asyncio.sleep(0.05)
    await (cache if same_process else Cache(store, CacheConfig())).forget("ann")
    await call
    await cache.flush()
    assert await Cache(store, CacheConfig()).forget("ann") == 0


async def test_what_is_too_old_is_not_used_and_goes(store: Store) -> None:
    cache = Cache(store, CacheConfig(max_days=0.5 / 86_400))
    model = CachedModel(ScriptedModel(lambda asked: "words"), cache)
    await say(model)
    await cache.flush()
    await asyncio.sleep(0.6)
    assert not (await say(model)).cached
    await cache.flush()
    await asyncio.sleep(1.6)
    await cache.sweep()
    person = await cache.person(None)
    assert person not in await kept_persons(store)
    await cache.aclose()
    await store.aclose()


async def test_beyond_its_size_the_oldest_answers_go(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(store, CacheConfig(max_mb=0.01))
    now = time.time()
    model = CachedModel(ScriptedModel(lambda asked: "x" * 4000), cache)
    for age in (30, 20, 10):
        monkeypatch.setattr(time, "time", lambda age=age: now - age)
        await say(model, f"asked {age} s ago")
        await cache.flush()
    monkeypatch.undo()
    await cache.sweep()
    found = [(await say(model, f"asked {age} s ago")).cached for age in (10, 20, 30)]
    assert found == [True, True, False]
    await cache.aclose()
    await store.aclose()


async def test_a_store_that_fails_costs_the_cache_not_the_call(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path / 'none.db'}") as store:  # no schema
        cache = Cache(store, CacheConfig())
        assert (await say(CachedModel(ScriptedModel(lambda asked: "words"), cache))).text == "words"


async def kept_persons(store: Store) -> set[str]:
    async with store.read() as connection:
        return set((await connection.execute(select(MODEL_ANSWERS.c.person))).scalars())


WRITER = """
import asyncio, sys
from recall.store import open_store
from rerank.llm.cache import Cache
from rerank.llm.limits_config import CacheConfig
async def main():
    cache = Cache(open_store(sys.argv[1]), CacheConfig())
    person = await cache.person("ann")
    number = 0
    while True:
        for _ in range(20):
            key = await cache.key("m", number)
            cache.put(key, person, "m", {"text": f"answer {number} " + "x" * 500})
            number += 1
        await cache.flush()
        print(number, flush=True)
asyncio.run(main())
"""


@pytest.mark.long
@pytest.mark.parametrize("wait", [0.3, 0.7, 1.1, 1.6])
def test_what_was_flushed_survives_a_kill_whole(tmp_path: Path, wait: float) -> None:
    url = f"sqlite:///{tmp_path / 'w.db'}"
    open_migrated(url).close()
    with subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        told = [writer.stdout.readline()]
        time.sleep(wait)
        writer.kill()
        told += writer.stdout.read().split()
    done = int(told[-1])

    async def check(store: Store) -> None:
        cache = Cache(store, CacheConfig())
        keys = [await cache.key("m", number) for number in range(done)]
        found = {}
        for start in range(0, done, 50):
            found |= await cache.get(keys[start : start + 50])
        assert [found[key].value["text"] for key in keys] == [f"answer {n} " + "x" * 500 for n in range(done)]

    with open_store(url) as store:
        store.run(check(store))
    assert done >= 20
