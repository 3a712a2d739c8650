"""whyrec recommend: one person's explained recommendations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from api.cli.options import Config, Json

if TYPE_CHECKING:
    from api.settings import Settings
    from rerank.pipeline import Pipeline
    from rerank.types import Recommendation, Request


def recommend(
    person: Annotated[str, typer.Argument(help="A person id (p…), or an account as PLATFORM:USER.")],
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="How many items.")] = 10,
    platform: Annotated[
        str | None,
        typer.Option(help="The asking platform: only items listed there, only history that may serve it."),
    ] = None,
    wish: Annotated[str | None, typer.Option(help="What the person wants now, in words.")] = None,
    mode: Annotated[
        Literal["recall", "rank", "explain"],
        typer.Option(help="recall: no model; rank: its order, no reasons; explain: both."),
    ] = "explain",
    language: Annotated[Literal["en", "zh"], typer.Option(help="Of the reasons.")] = "en",
    prompt: Annotated[str | None, typer.Option(help="Ranking prompt instead of the configured one.")] = None,
    depth: Annotated[int | None, typer.Option(min=1, help="How many candidates the model ranks.")] = None,
    deadline: Annotated[
        float, typer.Option(min=0.01, help="Seconds, once the model is loaded, until the answer is out.")
    ] = 30.0,
    json: Json = False,
    config: Config = None,
) -> None:
    """Recommend items to a person, each with its reason and the events that it rests on.

    Example: whyrec recommend cinema:c1 -k 5 --platform stream --wish "something short"
    """
    import asyncio

    from api.cli.output import console, print_json
    from api.settings import load_settings
    from rerank.types import Request

    settings = load_settings(config)
    request = Request(
        person=None,
        platform=platform,
        k=k,
        depth=depth,
        wish=wish,
        mode=mode,
        language=language,
        prompt=prompt,
    )
    found = asyncio.run(_ask(settings, person, request, deadline))
    if json:
        from api.answers import answer_of

        print_json(answer_of(found))
    else:
        from api.cli.table import show

        show(console(), found)


async def _ask(settings: Settings, named: str, request: Request, seconds: float) -> Recommendation:
    from dataclasses import replace

    from api.opening import open_pipeline
    from api.people import check_platform
    from rerank.types import Deadline

    check_platform(settings, request.platform)
    async with open_pipeline(settings) as (pipeline, _):
        deadline = Deadline.after(seconds)
        person = await find(pipeline, named)
        return await pipeline.recommend(replace(request, person=person, deadline=deadline))


async def find(pipeline: Pipeline, named: str) -> str:
    """Person id of what was typed; NotFound for an unknown account."""
    import asyncio

    platform, colon, user = named.partition(":")
    return await asyncio.to_thread(pipeline.library.person, platform, user) if colon else named
