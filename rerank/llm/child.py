"""The embedded model's own process, `python -m rerank.llm.child SETTINGS`; rerank/llm/process.py asks it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from recall.errors import ModelError, WhyrecError
from rerank.llm.stepped import SteppedModel
from rerank.types import Cause, ChatModel, Deadline, Message, Sampling

LONG = 3600.0
"""Seconds that loading, and a call without a deadline, may take."""


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    # What a library prints must not end up among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    threading.Thread(target=_outlive_nobody, daemon=True).start()
    settings = json.loads(sys.argv[1])
    settings["weights"] = Path(settings["weights"])
    asyncio.run(_serve(lambda: SteppedModel(**settings), sys.stdin.buffer, answers))


async def _serve(make: Callable[[], ChatModel], questions: BinaryIO, answers: BinaryIO) -> None:
    loop = asyncio.get_running_loop()
    under_way: dict[int, asyncio.Task[None]] = {}

    def answer(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message).encode() + b"\n")
        answers.flush()

    def take(question: dict[str, Any]) -> None:
        number = question["id"]
        if question["do"] == "leave":
            if number in under_way:
                under_way[number].cancel()
            return
        under_way[number] = task = loop.create_task(_answer(model, question, answer))
        task.add_done_callback(lambda _: under_way.pop(number, None))

    def listen() -> None:
        for line in questions:
            loop.call_soon_threadsafe(take, json.loads(line))
        os._exit(0)  # the parent closed the pipe or is gone: nothing here is worth finishing

    try:
        model = make()
        threading.Thread(target=listen, daemon=True).start()
        await model.capabilities(Deadline.after(LONG))
    except WhyrecError as error:
        answer({"error": str(error), "cause": str(getattr(error, "cause", Cause.NO_MODEL))})
        return
    answer({"ready": True})
    await asyncio.Event().wait()


async def _answer(
    model: ChatModel, question: dict[str, Any], answer: Callable[[dict[str, Any]], None]
) -> None:
    number = question["id"]
    try:
        answer({"id": number, "said": await _ask(model, question)})
    except ModelError as error:
        answer({"id": number, "error": str(error), "cause": str(error.cause)})
    except Exception as error:  # a call that fails in an unforeseen way must not take the others along
        answer({"id": number, "error": f"{type(error).__name__}: {error}", "cause": str(Cause.SERVER_ERROR)})


async def _ask(model: ChatModel, question: dict[str, Any]) -> Any:
    left = question.get("left")
    deadline = Deadline.after(LONG if left is None else left)
    match question["do"]:
        case "chat":
            sampling = question["sampling"]
            reply = await model.chat(
                _messages(question["messages"]),
                sampling=Sampling(**sampling | {"stop": tuple(sampling["stop"])}),
                deadline=deadline,
                schema=question["schema"],
            )
            return asdict(reply)
        case "label_scores":
            prompts = [_messages(rows) for rows in question["prompts"]]
            found = await model.label_scores(prompts, labels=question["labels"], deadline=deadline)
            return [asdict(one) for one in found]
        case "count":
            return await model.count(_messages(question["messages"]))
    raise ValueError(f"no such call: {question['do']!r}")


def _messages(rows: list[list[Any]]) -> tuple[Message, ...]:
    return tuple(Message(role, content) for role, content in rows)


def _outlive_nobody() -> None:
    """A process that was forked from the parent may hold the pipe open when the parent is gone."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


if __name__ == "__main__":
    main()
