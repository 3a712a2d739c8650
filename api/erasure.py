"""The right to be forgotten: one person out of all that the service keeps (docs/privacy.md lists it)."""

from __future__ import annotations

import asyncio
import time

from api.service import Service
from evals.erase import forget as forget_evaluations
from recall.errors import DataError, StoreError
from recall.store.erasure import erase_accounts, hide, shrink
from rerank.aliases import known_as
from rerank.knowledge.store import forget_person


async def erase(service: Service, platform: str, user: str) -> tuple[int, dict[str, int]]:
    """Hide the person at once, then erase; returns the number of accounts and the rows removed by table.

    The person is everybody whom the links make one with this account. Done twice, the second finds nothing;
    cut short, it is done again to its end.
    """
    library = service.library
    person = await asyncio.to_thread(library.owner, platform, user)
    accounts = sorted({*await asyncio.to_thread(library.accounts, person), (platform, user)})
    async with service.store.read() as connection:
        persons = await known_as(connection, person)
    now = int(time.time())
    await hide(service.store, accounts, persons, now=now)
    await asyncio.to_thread(library.forget, person)
    removed = {"served": await service.journal.forget(person)}
    layers = service.pipeline.layers
    if layers is not None and layers.cache is not None:
        removed["model_answers"] = await layers.cache.forget(person)
    removed["knowledge"] = await forget_person(service.store, persons)
    removed["batch_rows"] = await service.batches.forget(accounts)
    removed |= await erase_accounts(service.store, accounts, persons, now=now)
    workspace = service.settings.workspace
    await shrink(service.store)
    try:
        removed["evaluations"] = await asyncio.to_thread(forget_evaluations, workspace, persons)
    except DataError as error:  # a run is being written: 503, and the caller asks again
        raise StoreError(str(error)) from error
    return len(accounts), removed
