"""Work in a process of its own, so that neither a crash in native code nor its memory reaches the caller."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

import recall.errors
from recall.errors import ArtefactError, WhyrecError

T = TypeVar("T")

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def aside(work: Callable[..., T], *arguments: Any, progress: Progress | None = None, what: str) -> T:
    """`work(*arguments, progress)` in a fresh process; all of it has to be picklable by name.

    What it raises on purpose is raised here, without its cause. ArtefactError when the process ends without a
    result; `what` says in that case what it did. It ends when this process does, whatever ends that.
    """
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(theirs, work, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        while True:
            kind, *rest = mine.recv()
            if kind == "progress":
                if progress:
                    progress(*rest)
            elif kind == "done":
                return rest[0]
            else:
                raise _error(*rest)
    except EOFError:
        process.join()
        raise ArtefactError(
            f"{what} ended without a result (exit code {process.exitcode}); what was there before stays in "
            "use: look for memory limits, then try again"
        ) from None
    finally:
        if process.is_alive():
            process.join(timeout=5)
            process.kill()
        mine.close()


def _run(pipe: Connection, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Entry of the process. Sends ("progress", …) tuples, then ("done", result) or ("error", kind, text)."""
    _end_with_parent()
    try:
        result = work(*arguments, lambda *step: pipe.send(("progress", *step)))
    except WhyrecError as error:
        pipe.send(("error", type(error).__name__, str(error)))
    else:
        pipe.send(("done", result))


def _error(kind: str, text: str) -> WhyrecError:
    error: WhyrecError = getattr(recall.errors, kind, WhyrecError)(text)
    return error


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
