"""`whyrec links judge`: the doubtful pairs of listings put to the configured model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.linked import settings_of, store_url
from api.cli.options import Config, Json

if TYPE_CHECKING:
    from api.settings import Settings
    from recall.links.ledger import Action
    from recall.links.review import Pair
    from rerank.same_work import Judged
    from rerank.types import ChatModel

_SAID = {True: "one work", False: "two works", None: "left open"}


def judge(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many pairs.")] = 50,
    apply: Annotated[
        bool, typer.Option("--apply", help="Keep the decisions; without it they are only shown.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=0.1, help="For one pair.")] = 30.0,
    config: Config = None,
    json: Json = False,
) -> None:
    """Ask the model about the doubtful pairs of listings, those with the most events first.

    Each pair is asked twice, the other way round the second time; only two equal answers decide. With --apply
    a decision is kept as soon as it is made, under the model's name, and counts from the next ingest on;
    `whyrec links remove` and `add` overrule it. What is left open stays for `whyrec links review`.

    Example: whyrec links judge --limit 20
    """
    import asyncio

    from api.cli.output import console, print_json

    screen = console()

    def show(pair: Pair, found: Judged) -> None:
        one, other = pair.doubt.one, pair.doubt.other
        why = f" ({found.cause})" if found.cause else ""
        screen.print(f"{_SAID[found.same]}{why}: {_entry(one, pair.one)} and {_entry(other, pair.other)}")

    done = asyncio.run(_judge(settings_of(config), limit, apply, seconds, None if json else show))
    if json:
        print_json([_row(pair, found, apply) for pair, found in done])
        return
    decided = sum(found.same is not None for _, found in done)
    kept = (
        "kept; they count from the next `whyrec ingest` on" if apply else "shown only; keep them with --apply"
    )
    screen.print(f"{decided} of {len(done)} decided, {kept}" if done else "no doubtful pairs")


async def _judge(
    settings: Settings,
    limit: int,
    apply: bool,
    seconds: float,
    tell: Callable[[Pair, Judged], None] | None,
) -> list[tuple[Pair, Judged]]:
    import asyncio

    from api.migrations import upgrade
    from recall.errors import NotFound
    from recall.links.ledger import Decision
    from recall.links.review import doubtful
    from recall.store import open_store
    from recall.store.links import add_decisions, load_ledger
    from recall.workspace import Workspace
    from rerank.llm import make_model
    from rerank.llm.layers import Layers
    from rerank.methods.asking import FATAL
    from rerank.same_work import same_work
    from rerank.types import Deadline

    model: ChatModel | None = make_model(settings.llm)
    if model is None:
        raise NotFound(
            "no language model to ask: [llm] engine is 'none'; name an endpoint, or set the engine"
        )
    done = []
    try:
        async with open_store(store_url(settings)) as store:
            await upgrade(store)
            ledger = await load_ledger(store)
            build = Workspace(settings.workspace).builds.current()
            pairs = await asyncio.to_thread(doubtful, build, ledger, settings.links)
            async with Layers.open(settings.cache, settings.budget, store) as layers:
                asked = layers.around(model)
                for pair in pairs[:limit]:
                    found = await same_work(asked, pair.one, pair.other, Deadline.after(seconds))
                    if apply and found.same is not None:
                        action: Action = "add" if found.same else "remove"
                        by = f"judge:{found.model}"
                        await add_decisions(
                            store, [Decision("item", action, pair.doubt.one, pair.doubt.other, by)]
                        )
                    if tell is not None:
                        tell(pair, found)
                    done.append((pair, found))
                    if found.cause in FATAL:
                        break
    finally:
        await model.aclose()
    return done


def _entry(node: tuple[str, str], row: dict[str, Any]) -> str:
    from api.cli.output import plain

    year = f" ({row['year']})" if row.get("year") is not None else ""
    return str(plain(f"{node[0]}:{node[1]} “{row.get('title') or ''}”{year}"))


def _row(pair: Pair, found: Judged, applied: bool) -> dict[str, Any]:
    return {
        "one": pair.one,
        "other": pair.other,
        "events": pair.events,
        "confidence": pair.doubt.confidence,
        "same": found.same,
        "model": found.model,
        "cause": found.cause,
        "kept": applied and found.same is not None,
    }
