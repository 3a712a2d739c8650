"""What was served is kept with its feedback, on SQLite and PostgreSQL, and can be erased."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, text

from api.migrations import HEAD, alembic_config, open_migrated
from recall.errors import NotFound, StoreError
from recall.store import Store, open_store
from recall.store.links import save_aliases
from recall.types import Candidate, Filters, History, Item
from rerank.journal import Feedback, Journal
from rerank.types import Evidence, Provenance, RankedItem, Reason, Recommendation, Request, Status, Usage


def answer(
    id: str = "r1", person: str | None = "p1", items: int = 2, text: str = "You liked it."
) -> Recommendation:
    evidence = Evidence("event", "h1", "Film A", "e1", "i9", "shop", 7, "purchase", None, 1)
    ranked = tuple(
        RankedItem(
            Item(f"i{place}", f"Film {place}"),
            place,
            1.0 / place,
            Candidate(f"i{place}", 4 - place, 0.5, {"als": 0.25}),
            "model",
            place,
            Reason(text, (evidence,), "llm", True),
        )
        for place in range(1, items + 1)
    )
    how = Provenance(
        Status.FULL, None, Status.FULL, None, "m", "listwise", "p", "h", "a", 0.5, "default", Usage(7, 3),
        2, 0, {"total": 1.5}, {}, {"had": 3}, {"written": 2},
    )  # fmt: skip
    request = Request(person, "stream", k=items, wish="short", filters=Filters(exclude=frozenset({"b", "a"})))
    return Recommendation(id, request, History(person), ranked, how)


def said(id: str, item: str = "i1", served: str = "r1") -> Feedback:
    return Feedback(id, served, item, "rated", 100, 4.0, "made me laugh")


async def test_an_answer_comes_back_as_it_went_out(store: Store) -> None:
    async with Journal.open(store) as journal:
        journal.write(answer(), scenario="evening", experiment="x", arm="b", propensity=0.25, now=99)
        served = await journal.read("r1")
    assert (served.person, served.platform, served.time) == ("p1", "stream", 99)
    assert (served.scenario, served.experiment, served.arm, served.propensity) == ("evening", "x", "b", 0.25)
    assert served.request["wish"] == "short"
    assert served.request["filters"]["exclude"] == ["a", "b"]
    assert served.provenance["rerank_status"] == "full"
    assert served.provenance["usage"] == {"prompt": 7, "completion": 3, "cached": 0}
    first = served.items[0]
    assert (first.rank, first.item, first.score, first.recall_rank, first.model_rank) == (1, "i1", 1.0, 4, 1)
    assert first.sources == {"als": 0.25}
    assert first.reason == {"text": "You liked it.", "author": "llm", "checked": True, "withheld": None}
    assert first.evidence[0]["event"] == "e1"
    await store.aclose()


async def test_feedback_behind_its_answer_is_durable_when_it_returns(store: Store) -> None:
    async with Journal.open(store) as journal:
        journal.write(answer())
        assert await journal.feedback(said("f1"))
        assert not await journal.feedback(said("f1"))
        async with Journal.open(store) as other:
            assert (await other.read("r1")).feedback == (said("f1"),)
    await store.aclose()


async def test_feedback_for_what_was_never_served_is_refused_and_spoils_nobody_elses(store: Store) -> None:
    async with Journal.open(store) as journal:
        journal.write(answer())
        results = await asyncio.gather(
            journal.feedback(said("f1")),
            journal.feedback(said("f2", served="r9")),
            journal.feedback(said("f3", item="i9")),
            return_exceptions=True,
        )
        assert results[0] is True
        assert isinstance(results[1], NotFound) and "'r9'" in str(results[1])
        assert isinstance(results[2], NotFound) and "'i9'" in str(results[2])
        assert [one.id for one in (await journal.read("r1")).feedback] == ["f1"]
    await store.aclose()


async def test_what_waits_while_a_transaction_runs_goes_into_one_group(store: Store) -> None:
    groups: list[int] = []
    async with Journal.open(store) as journal:
        commit = journal._commit

        async def counted(entries: list) -> None:
            groups.append(len(entries))
            await commit(entries)

        journal._groups._write = counted
        for number in range(100):
            journal.write(answer(f"r{number}"))
        await journal.flush()
        assert sum(groups) == 100 and len(groups) <= 3
        assert len(await journal.export("p1")) == 100
    await store.aclose()


async def test_who_waits_does_not_wait_for_others_to_come(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rerank.journal.journal.GATHER_SECONDS", 60)
    async with asyncio.timeout(20), Journal.open(store) as journal:
        journal.write(answer("r1"))
        assert await journal.feedback(said("f1"))
        journal.write(answer("r2"))
        assert (await journal.read("r2")).id == "r2"
        journal.write(answer("r3"))
        await journal.flush()
        journal.write(answer("r4"))
    async with Journal.open(store) as journal:
        assert len(await journal.export("p1")) == 4
    await store.aclose()


async def test_an_answer_that_nobody_waits_for_is_written_after_a_moment(store: Store) -> None:
    async with Journal.open(store) as journal, Journal.open(store) as other:
        journal.write(answer())
        async with asyncio.timeout(20):
            while not await other.export("p1"):  # noqa: ASYNC110 - another process's journal
                await asyncio.sleep(0.02)
    await store.aclose()


async def test_the_upgrade_keeps_what_was_served_in_a_row_for_each_place(store: Store) -> None:
    async def to(revision: str) -> None:
        def move(connection: Connection) -> None:
            config = alembic_config()
            config.attributes["connection"] = connection
            (command.downgrade if revision < HEAD else command.upgrade)(config, revision)

        async with store.write() as connection:
            await connection.run_sync(move)

    async with Journal.open(store) as journal:
        journal.write(answer("r1", text="nul \0 and half a pair \ud800"), scenario="evening")
        journal.write(answer("r2", items=0))
        await journal.feedback(said("f1"))
        before = [await journal.read("r1"), await journal.read("r2")]
    await to("0007")
    async with store.read() as connection:
        rows = (
            await connection.execute(text("SELECT served, rank, item FROM served_items ORDER BY rank"))
        ).all()
    assert [tuple(row) for row in rows] == [("r1", 1, "i1"), ("r1", 2, "i2")]
    await to(HEAD)
    async with Journal.open(store) as journal:
        assert [await journal.read("r1"), await journal.read("r2")] == before
    await store.aclose()


async def test_a_person_is_exported_and_forgotten_under_every_id_he_had(store: Store) -> None:
    async with Journal.open(store) as journal:
        journal.write(answer("r1", "old"), now=1)
        journal.write(answer("r2", "older"), now=2)
        journal.write(answer("r3", "new"), now=3)
        journal.write(answer("r4", "other"), now=4)
        await journal.feedback(said("f1", served="r1"))
        await save_aliases(store, {"older": "new", "old": "new"})
        assert [one.id for one in await journal.export("new")] == ["r1", "r2", "r3"]
        assert await journal.forget("new") == 3
        assert await journal.export("new") == []
        assert [one.id for one in await journal.export("other")] == ["r4"]
        with pytest.raises(NotFound):
            await journal.feedback(said("f2", served="r1"))
        with pytest.raises(NotFound):
            await journal.read("r1")
    await store.aclose()


async def test_text_that_no_database_takes_as_it_is_can_be_kept(store: Store) -> None:
    async with Journal.open(store) as journal:
        journal.write(answer(text="nul \0 and half a pair \ud800"))
        await journal.feedback(Feedback("f1", "r1", "i1", "rejected", 5, None, "why \0 \ud800?"))
        served = await journal.read("r1")
    assert served.items[0].reason["text"] == "nul \0 and half a pair \ud800"
    assert served.feedback[0].why == "why \ufffd ??"
    await store.aclose()


async def test_a_dead_store_is_told_to_those_who_wait_and_tried_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'w.db'}"
    async with open_store(url) as store:  # no schema yet
        journal = Journal(store)
        journal.write(answer())
        with pytest.raises(StoreError):
            await journal.durable("r1")
        with pytest.raises(StoreError):
            await journal.feedback(said("f1"))
        await asyncio.to_thread(lambda: open_migrated(url).close())
        async with asyncio.timeout(5):
            while True:
                try:
                    await journal.durable("r1")
                    break
                except StoreError:
                    await asyncio.sleep(0.05)
        assert [one.id for one in (await journal.read("r1")).feedback] == ["f1"]
        await journal.aclose()


async def test_an_answer_that_can_not_be_written_takes_no_other_along(store: Store) -> None:
    async with Journal.open(store) as journal:
        for number in range(5):
            journal.write(answer(f"r{number}"), propensity="never" if number == 2 else 1.0)  # type: ignore[arg-type]
        with pytest.raises(StoreError):
            await journal.durable("r2")
        assert [one.id for one in await journal.export("p1") if one.id != "r2"] == ["r0", "r1", "r3", "r4"]
        assert await journal.feedback(said("f1"))
    await store.aclose()


async def test_an_unknown_answer_is_never_durable(store: Store) -> None:
    async with Journal.open(store) as journal:
        with pytest.raises(NotFound, match="'r9'"):
            await journal.durable("r9")
    await store.aclose()


def test_acknowledged_feedback_and_its_answer_survive_a_kill(tmp_path: Path) -> None:
    code = (
        "import asyncio, os, sys; from recall.store import open_store; from rerank.journal import Journal\n"
        "from tests.test_rerank_journal import answer, said\n"
        "async def main():\n"
        "    journal = Journal(open_store(sys.argv[1]))\n"
        "    journal.write(answer())\n"
        "    await journal.feedback(said('f1'))\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())"
    )
    url = f"sqlite:///{tmp_path / 'w.db'}"
    open_migrated(url).close()
    assert subprocess.run([sys.executable, "-c", code, url], check=False).returncode == -9
    with open_migrated(url) as store:
        [served] = store.run(Journal(store).export("p1"))
    assert [one.id for one in served.feedback] == ["f1"]
