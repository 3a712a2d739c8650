"""Keys open what they are for, and the store can't give them back."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from api.allowance import Allowance
from api.keys import KeyRing, list_keys, make_key, revoke_key
from api.migrations import open_migrated
from api.rates import Rates
from api.security import SecurityConfig
from recall.errors import NotFound
from tests.whole import whyrec, write_platforms


@pytest.fixture
def store(tmp_path):
    with open_migrated(f"sqlite:///{tmp_path / 'whyrec.db'}") as store:
        yield store


async def found(store, shown, **options):
    return await KeyRing(store, **options).find(shown)


async def test_the_key_that_was_shown_is_found_again(store):
    shown, key = await make_key(store, name="shop", scopes=["read"], platforms=["shop"], per_minute=5)
    again = await found(store, shown)
    assert again == key
    assert again.holds("read")
    assert not again.holds("write")


@pytest.mark.parametrize("wrong", ["", "x", "whyrec_{id}_{other}", "whyrec_{unknown}_{secret}", "{shown} "])
async def test_any_other_text_is_no_key(store, wrong):
    shown, key = await make_key(store, name="a", scopes=["read"])
    other, _ = await make_key(store, name="b", scopes=["admin"])
    secret, foreign = shown.split("_", 2)[2], other.split("_", 2)[2]
    text = wrong.format(id=key.id, other=foreign, unknown="0" * 12, secret=secret, shown=shown)
    assert await found(store, text) is None


async def test_the_store_holds_no_secret(store):
    shown, _ = await make_key(store, name="a", scopes=["read"])
    secret = shown.split("_", 2)[2].encode()
    await store.aclose()
    files = Path(store.url.database).parent.glob("whyrec.db*")
    assert not any(secret in file.read_bytes() for file in files)


async def test_an_expired_key_opens_nothing(store):
    shown, _ = await make_key(store, name="a", scopes=["read"], expires=int(time.time()) - 1)
    assert await found(store, shown) is None


async def test_a_revoked_key_opens_nothing_once_it_is_looked_up_again(store):
    shown, key = await make_key(store, name="a", scopes=["read"])
    ring = KeyRing(store, fresh_seconds=0.05)
    assert await ring.find(shown) is not None
    await revoke_key(store, key.id)
    await asyncio.sleep(0.1)
    assert await ring.find(shown) is None
    with pytest.raises(NotFound, match="no key"):
        await revoke_key(store, "nothing")


async def test_an_unknown_scope_is_refused(store):
    with pytest.raises(ValueError, match="no scope 'root'"):
        await make_key(store, name="a", scopes=["root"])


async def test_workers_together_never_allow_more_than_the_limit(store):
    workers = [Rates(store, "requests", seconds=60) for _ in range(4)]

    async def ask(worker):
        return [await worker.take("k", 100, now=1_000_000) for _ in range(60)]

    verdicts = [v for each in await asyncio.gather(*map(ask, workers)) for v in each]
    allowed = sum(v.allowed for v in verdicts)
    assert 100 - 4 * 5 <= allowed <= 100  # a share that a worker holds may stay unused
    refused = next(v for v in verdicts if not v.allowed)
    assert refused.headers()["Retry-After"] == str(refused.reset)


async def test_the_next_window_allows_again_and_old_counts_go(store):
    rates = Rates(store, "requests", seconds=60)
    for minute in range(4):
        verdicts = [await rates.take("k", 2, now=60.0 * minute) for _ in range(3)]
        assert [v.allowed for v in verdicts] == [True, True, False]
    async with store.read() as connection:
        kept = (await connection.exec_driver_sql("SELECT count(*) FROM key_use")).scalar()
    assert kept <= 2


def test_keys_are_made_listed_and_revoked_by_command(tmp_path):
    config = write_platforms(tmp_path)
    made = whyrec("keys", "create", "web", "--scope", "read", "--platform", "shop", "--json", "-c", config)
    assert made.exit_code == 0, made.output
    key = json.loads(made.stdout)
    assert key["key"] not in whyrec("keys", "list", "-c", config).stdout
    assert whyrec("keys", "revoke", key["id"], "-c", config).exit_code == 0
    (row,) = json.loads(whyrec("keys", "list", "--json", "-c", config).stdout)
    assert row["platforms"] == ["shop"]
    assert row["revoked"] is not None


def test_a_key_for_an_unknown_platform_is_refused(tmp_path):
    done = whyrec("keys", "create", "web", "--platform", "nowhere", "-c", write_platforms(tmp_path))
    assert done.exit_code == 1
    assert "no platform 'nowhere'" in done.stderr


async def test_keys_of_the_store_are_listed_oldest_first(store):
    for n in range(3):
        await make_key(store, name=str(n), scopes=["read"], now=n)
    assert [key.name for key in await list_keys(store)] == ["0", "1", "2"]


async def test_tokens_of_all_workers_count_for_the_day_and_a_new_day_is_fresh(store):
    _, key = await make_key(store, name="a", scopes=["read"], tokens_per_day=100)
    workers = [Allowance(store, SecurityConfig()) for _ in range(4)]
    for worker in workers:
        assert not await worker.spent(key, now=0)
        await worker.add(key, 30, now=0)
    assert [await worker.spent(key, now=0) for worker in workers] == [True] * 4
    assert not await workers[0].spent(key, now=86_400)


async def test_a_key_without_a_limit_is_never_spent(store):
    _, key = await make_key(store, name="a", scopes=["read"])
    allowance = Allowance(store, SecurityConfig())
    await allowance.add(key, 10**9)
    assert not await allowance.spent(key)
    assert not await Allowance(store, SecurityConfig(tokens_per_day=5)).spent(key)
