"""The store keeps what it acknowledged, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from api.migrations import HEAD, METADATAS, alembic_config, open_migrated, upgrade
from recall.consent import Statement
from recall.errors import ConfigError, StoreError
from recall.links.ledger import Decision
from recall.store import Store, open_store
from recall.store.consents import load_statements, state, withdraw
from recall.store.events import LiveEvent, append_events, read_arrivals, read_events
from recall.store.items import LiveItem, load_items, put_items
from recall.store.links import add_decisions, load_ledger, save_aliases
from recall.store.tables import STORE_KEYS, TOMBSTONES
from recall.store.tombstones import bury, load_tombstones


def live(user: str, time: int, listing: str = "x") -> LiveEvent:
    return LiveEvent("shop", user, listing, "purchase", time, None, 1_000_000, 1)


def test_an_event_sent_twice_is_kept_once(store: Store) -> None:
    assert store.run(append_events(store, [live("a", 1), live("a", 2), live("a", 2)])) == {
        live("a", 1).id,
        live("a", 2).id,
    }
    assert store.run(append_events(store, [live("a", 2), live("a", 3)])) == {live("a", 3).id}
    assert [one.time for one in store.run(read_events(store, [("shop", "a")]))] == [3, 2, 1]


def test_events_are_read_by_account_and_time(store: Store) -> None:
    store.run(append_events(store, [live("a", 1), live("a", 5), live("b", 3), live("c", 4)]))
    accounts = [("shop", "a"), ("shop", "b"), ("stream", "c")]
    assert store.run(read_events(store, accounts, since=2)) == [live("a", 5), live("b", 3)]
    assert store.run(read_events(store, accounts, before=5)) == [live("b", 3), live("a", 1)]
    assert store.run(read_events(store, [])) == []


def test_arrivals_go_on_from_their_mark(store: Store) -> None:
    store.run(append_events(store, [live("a", 9), live("a", 1)]))
    first, mark = store.run(read_arrivals(store))
    assert first == [live("a", 9), live("a", 1)]
    store.run(append_events(store, [live("a", 5)]))
    assert store.run(read_arrivals(store, mark))[0] == [live("a", 5)]


def test_decisions_and_aliases_come_back_as_they_went_in(store: Store) -> None:
    decisions = (
        Decision("person", "add", ("a", "1"), ("b", "2"), "cli", 7),
        Decision("item", "remove", ("a", "1"), None, "review", 8),
    )
    store.run(add_decisions(store, decisions))
    store.run(save_aliases(store, {"p1": "p2"}))
    store.run(save_aliases(store, {"p3": "p2"}))
    ledger = store.run(load_ledger(store))
    assert ledger.decisions == decisions
    assert ledger.aliases == {"p3": "p2"}


def test_a_later_statement_replaces_and_a_withdrawn_one_is_gone(store: Store) -> None:
    store.run(state(store, [Statement("a", "1", "a", "b", True, 1)]))
    store.run(state(store, [Statement("a", "1", "a", "b", False, 2)]))
    assert store.run(load_statements(store)) == (Statement("a", "1", "a", "b", False, 2),)
    store.run(withdraw(store, "a", "1"))
    assert store.run(load_statements(store)) == ()


def test_an_erased_account_is_known_again_without_its_name_being_kept(store: Store) -> None:
    assert store.run(load_tombstones(store)).erased("shop", ["ann@example.org"]) == {}
    store.run(bury(store, [("shop", "ann@example.org"), ("cinema", "7")], now=5))
    store.run(bury(store, [("shop", "ann@example.org")], now=9))
    found = store.run(load_tombstones(store))
    assert found.erased("shop", ["ann@example.org", "7"]) == {"ann@example.org": 9}
    assert found.erased("cinema", ["7"]) == {"7": 5}
    assert found.mark("stream") == "" != found.mark("shop") != found.mark("cinema")

    async def held() -> str:
        async with store.read() as connection:
            return str((await connection.execute(TOMBSTONES.select())).all())

    assert "ann" not in store.run(held()) and "ann" not in repr(found)


def test_a_live_item_replaces_the_one_before(store: Store) -> None:
    first = LiveItem("shop", "x", "Alien", 1979, ("Scott",), external_ids={"imdb": "78748"})
    store.run(put_items(store, [LiveItem("shop", "y"), first]))
    assert store.run(load_items(store)) == [first, LiveItem("shop", "y")]
    second = LiveItem("shop", "x", "Aliens", 1986)
    store.run(put_items(store, [first, second]))
    assert store.run(load_items(store))[0] == second


def test_a_tombstone_that_named_its_account_is_hashed_by_the_upgrade(tmp_path: Path) -> None:
    from alembic import command

    async def begin(store: Store) -> None:
        async with store.write() as connection:
            await connection.run_sync(lambda sync: _to(sync, "0001"))
            await connection.execute(text("INSERT INTO tombstones VALUES ('shop', 'ann', 7)"))

    def _to(connection: object, revision: str) -> None:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    url = f"sqlite:///{tmp_path / 'w.db'}"
    with open_store(url) as store:
        store.run(begin(store))
    with open_migrated(url) as store:
        assert store.run(load_tombstones(store)).erased("shop", ["ann", "bob"]) == {"ann": 7}
        assert STORE_KEYS.name in store.run(_tables(store))


async def _tables(store: Store) -> list[str]:
    async with store.read() as connection:
        return await connection.run_sync(lambda sync: inspect(sync).get_table_names())


def test_migrations_make_the_tables_that_the_rooms_declare(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    async def differences() -> list[object]:
        async with store.read() as connection:
            return await connection.run_sync(
                lambda sync: compare_metadata(MigrationContext.configure(sync), list(METADATAS))
            )

    assert store.run(differences()) == []


def test_head_is_the_newest_revision() -> None:
    from alembic.script import ScriptDirectory

    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == HEAD


def test_opening_twice_at_once_migrates_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'w.db'}"
    code = f"from api.migrations import open_migrated; open_migrated({url!r}).close()"
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [one.wait() for one in running] == [0, 0, 0]


def test_a_store_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'w.db'}"

    async def advance(store: Store) -> None:
        async with store.write() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with open_migrated(url) as store:
        store.run(advance(store))
    with pytest.raises(StoreError, match="9999"):
        open_migrated(url)


async def test_coroutines_and_threads_share_one_store(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path / 'w.db'}") as store:
        await upgrade(store)
        await append_events(store, [live("a", 1)])
        found = await asyncio.to_thread(lambda: store.run(read_events(store, [("shop", "a")])))
        assert found == [live("a", 1)]


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    code = (
        "import os, sys; from api.migrations import open_migrated\n"
        "from recall.store.events import LiveEvent, append_events\n"
        "store = open_migrated(sys.argv[1])\n"
        "store.run(append_events(store, [LiveEvent('shop', 'a', 'x', 'purchase', 1, None, 1000000, 1)]))\n"
        "os.kill(os.getpid(), 9)"
    )
    url = f"sqlite:///{tmp_path / 'w.db'}"
    assert subprocess.run([sys.executable, "-c", code, url], check=False).returncode == -9
    with open_migrated(url) as store:
        assert store.run(read_events(store, [("shop", "a")])) == [live("a", 1)]


def test_a_failed_write_leaves_nothing(store: Store) -> None:
    async def fail() -> None:
        async with store.write() as connection:
            await connection.execute(text("DELETE FROM live_events"))
            raise RuntimeError

    store.run(append_events(store, [live("a", 1)]))
    with pytest.raises(RuntimeError):
        store.run(fail())
    assert len(store.run(read_events(store, [("shop", "a")]))) == 1


def test_the_schema_missing_is_said_with_its_remedy(tmp_path: Path) -> None:
    with (
        open_store(f"sqlite:///{tmp_path / 'w.db'}") as store,
        pytest.raises(StoreError, match="schema is missing"),
    ):
        store.run(read_events(store, [("shop", "a")]))


@pytest.mark.parametrize("url", ["mysql://h/d", "sqlite://", "nonsense"])
def test_an_unusable_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="sqlite:///FILE"):
        open_store(url)


def test_a_password_is_never_shown() -> None:
    store = open_store("postgresql://me:secret@127.0.0.1:1/none")
    with store, pytest.raises(StoreError) as caught:
        store.run(load_statements(store))
    assert "secret" not in str(caught.value) + repr(store)


def test_every_table_has_a_primary_key(store: Store) -> None:
    async def keys() -> list[list[str]]:
        async with store.read() as connection:
            return await connection.run_sync(
                lambda sync: [
                    inspect(sync).get_pk_constraint(table)["constrained_columns"]
                    for metadata in METADATAS
                    for table in metadata.tables
                ]
            )

    assert all(store.run(keys()))
