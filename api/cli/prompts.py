"""`whyrec prompts`: what a model is told, word by word."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from api.cli.options import Config, Json

if TYPE_CHECKING:
    from api.settings import Settings
    from prompts import Prompt
    from rerank.llm.scripted import Asked
    from rerank.types import Message

app = typer.Typer(no_args_is_help=True, help="The prompts: list them, read one, render one for a person.")

Name = Annotated[str, typer.Argument(help="A prompt's name (listwise, listwise.v1.zh) or a file.md.")]
Language = Annotated[Literal["en", "zh"], typer.Option(help="Where the name gives none.")]


@app.command("list")
def list_prompts(json: Json = False) -> None:
    """Every prompt that comes with whyrec.

    Example: whyrec prompts list
    """
    from rich.table import Table

    from api.cli.output import console, print_json
    from prompts import load, names

    found = [load(name) for name in names()]
    if json:
        print_json([_row(prompt) for prompt in found])
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("prompt", "task", "method", "hash", "what it is"):
        table.add_column(column)
    for prompt in found:
        table.add_row(prompt.id, prompt.task, prompt.method, prompt.hash, prompt.description)
    console().print(table)


@app.command()
def show(name: Name, language: Language = "en", json: Json = False) -> None:
    """The wording of one prompt, as its file has it.

    Example: whyrec prompts show listwise
    """
    from api.cli.output import console, plain, print_json
    from prompts import load
    from prompts.load import source

    prompt = load(name, language=language)
    text = source(name, language=language)
    if json:
        print_json({**_row(prompt), "text": text})
        return
    for line in text.splitlines():
        console().print(plain(line))


@app.command()
def render(
    name: Name,
    person: Annotated[str, typer.Option(help="A person id (p…), or an account as PLATFORM:USER.")],
    platform: Annotated[str | None, typer.Option(help="The asking platform.")] = None,
    wish: Annotated[str | None, typer.Option(help="What the person wants now, in words.")] = None,
    language: Language = "en",
    depth: Annotated[int | None, typer.Option(min=1, help="How many candidates are shown.")] = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """The exact messages that a model gets for a person, with their tokens. No model is asked.

    Tokens are counted by the configured model's own tokenizer, or estimated where it has none. A ranking
    prompt gives its first message list, a reasons prompt those for the first ten items.

    Example: whyrec prompts render listwise --person cinema:c1 --wish "something short"
    """
    import asyncio

    from api.cli.output import console, plain, print_json
    from api.settings import load_settings
    from prompts import load

    settings = load_settings(config)
    prompt = load(name, language=language)
    found = asyncio.run(_record(settings, prompt, name, person, platform, wish, depth))
    if json:
        print_json(found)
        return
    screen = console()
    for one in found:
        for message in one.messages:
            screen.print(f"── {message.role}", style="bold cyan")
            for line in message.content.splitlines():
                screen.print(plain(line))
        how = "" if one.exact else ", estimated"
        screen.print(f"── {one.tokens} tokens{how} · prompt {prompt.id}@{prompt.file_hash[:8]}", style="dim")


def _row(prompt: Prompt) -> dict[str, object]:
    return {
        "prompt": prompt.id,
        "task": prompt.task,
        "method": prompt.method,
        "language": prompt.language,
        "hash": prompt.hash,
        "description": prompt.description,
    }


def _answer(asked: Asked) -> str:
    return "{}" if asked.schema else "(what the model writes of the person's taste)"


@dataclass(frozen=True, slots=True)
class Rendered:
    """Messages as the configured model gets them. `exact`: counted by its own tokenizer."""

    tokens: int
    exact: bool
    messages: tuple[Message, ...]


async def _record(
    settings: Settings,
    prompt: Prompt,
    name: str,
    person: str,
    platform: str | None,
    wish: str | None,
    depth: int | None,
) -> list[Rendered]:
    """What the pipeline asks a model that counts like the configured one, records, and answers nothing."""
    from api.cli.recommend import find
    from api.opening import open_pipeline
    from api.people import check_platform
    from recall.errors import ConfigError, ModelError
    from rerank.llm.scripted import ScriptedModel
    from rerank.types import Deadline, Request

    if prompt.task not in ("rank", "reasons", "profile"):
        raise ConfigError(f"prompt {prompt.id} is not about a person: `whyrec prompts show` prints its words")
    check_platform(settings, platform)
    chosen: dict[str, object] = {}
    reasons = settings.reasons
    if prompt.task == "rank":
        chosen |= {"method": prompt.method, "prompt": name if name.endswith(".md") else prompt.id}
    elif prompt.task == "profile":
        chosen |= {"method": "listwise", "prompt": f"listwise-profile.{prompt.language}"}
    else:
        per = prompt.method.removeprefix("per-")
        reasons = reasons.model_copy(update={"enabled": True, "per": per, "prompt": name})
    async with open_pipeline(settings) as (pipeline, _):
        recorder, exact = ScriptedModel(_answer, lambda asked: {}), False
        if pipeline.model is not None:
            with suppress(ModelError):  # an endpoint that is not there: estimates, and no limit known
                able = await pipeline.model.capabilities(Deadline.after(30))
                exact = able.tokenizer
                recorder = ScriptedModel(
                    _answer, lambda asked: {}, context=able.context, counter=pipeline.model
                )
        rank = settings.rank.model_copy(update=chosen)
        recording = pipeline.variant(rank=rank, reasons=reasons, model=recorder)
        request = Request(
            person=await find(pipeline, person),
            platform=platform,
            wish=wish,
            depth=depth,
            deadline=Deadline.after(60),
            mode="explain" if prompt.task == "reasons" else "rank",
            language=prompt.language,
        )
        calls = (await recording.recommend(request)).calls
        if prompt.task == "reasons":
            shown = [call.messages for call in calls if call.task == "reasons"]
        else:
            # A taste profile is the one question that asks for no form; a list over it comes after it.
            wanted = prompt.task == "profile"
            free = [one for one in recorder.asked if (one.schema is None and one.labels is None) == wanted]
            shown = [one.messages for one in free[:1]]
        return [Rendered(await recorder.count(messages), exact, messages) for messages in shown]
