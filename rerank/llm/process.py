"""A child process that answers calls: one JSON document a line, over its standard input and output.

Parent to child: {"id", "do", "left", …} asks; {"id", "do": "leave"} says that nobody waits any more.
Child to parent: {"ready": true} once; {"id", "said"} or {"id", "error", "cause"} for a call; {"error",
"cause"} when it can't start. The child ends when its input does, so it never outlives the parent, however
that ends.
"""

from __future__ import annotations

import itertools
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from recall.errors import ModelError
from rerank.types import Cause

END_SECONDS = 2.0
"""How long a child may take to end by itself before it is killed."""


class ProcessCall:
    """A call under way."""

    def __init__(self, running: _Running, number: int) -> None:
        self.answer: Future[Any] = Future()
        self._running, self._number = running, number

    def leave(self) -> None:
        """Nobody waits any more: the child stops working on it. No effect on a call that was answered."""
        if self._running.pending.pop(self._number, None) is not None:
            self._running.send({"id": self._number, "do": "leave"})


class Process:
    """Runs `python -m MODULE SETTINGS` on first use, and again where it ended. Safe from several threads."""

    def __init__(self, module: str, settings: Mapping[str, Any], *, name: str) -> None:
        self._command = [sys.executable, "-m", module, json.dumps(settings)]
        self._name = name
        self._running: _Running | None = None
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Of the process, where one runs."""
        return None if self._running is None or self._running.over else self._running.child.pid

    def ready(self) -> Future[None]:
        """Done once the child is; ModelError when it could not start."""
        return self._start().ready

    def call(self, do: str, **arguments: Any) -> ProcessCall:
        """Ask the child. The answer is what it said, or ModelError with the cause that it named."""
        running = self._start()
        number = next(running.numbers)
        call = ProcessCall(running, number)
        running.pending[number] = call.answer
        running.send({"id": number, "do": do, **arguments})
        if running.over:  # it ended meanwhile, and may not have seen this call
            running.fail_all()
        return call

    def close(self) -> None:
        """End the child; calls under way fail. The next use starts another one."""
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            running.end()

    def _start(self) -> _Running:
        with self._lock:
            if self._running is None or self._running.over:
                self._running = _Running(self._command, self._name)
            return self._running


class _Running:
    """One child, with a thread that writes to it and one that reads from it."""

    def __init__(self, command: list[str], name: str) -> None:
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        self.name = name
        self.child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}
        )
        self.ready: Future[None] = Future()
        self.pending: dict[int, Future[Any]] = {}
        self.numbers = itertools.count(1)
        self.over = False
        self._outbox: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        for work in (self._write, self._read):
            threading.Thread(target=work, name=f"whyrec-{name}"[:15], daemon=True).start()

    def send(self, message: dict[str, Any]) -> None:
        self._outbox.put(message)

    def end(self) -> None:
        self._outbox.put(None)
        try:
            self.child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def fail_all(self) -> None:
        error = ModelError(f"{self.name}: the embedded model's process ended", Cause.SERVER_ERROR)
        for number in list(self.pending):
            if (future := self.pending.pop(number, None)) is not None:
                _settle(future, error=error)
        if not self.ready.done():
            self.ready.set_exception(error)

    def _write(self) -> None:
        assert self.child.stdin is not None
        try:
            while (message := self._outbox.get()) is not None:
                self.child.stdin.write(json.dumps(message).encode() + b"\n")
                self.child.stdin.flush()
            self.child.stdin.close()
        except OSError:
            pass  # it ended: the reader says so

    def _read(self) -> None:
        assert self.child.stdout is not None
        with self.child.stdout as lines:
            for line in lines:
                self._take(json.loads(line))
        self.over = True
        self._outbox.put(None)
        self.fail_all()
        self.child.wait()

    def _take(self, said: dict[str, Any]) -> None:
        error = ModelError(f"{self.name}: {said['error']}", Cause(said["cause"])) if "error" in said else None
        if "id" not in said:
            if error is None:
                self.ready.set_result(None)
            else:
                self.ready.set_exception(error)
        elif (future := self.pending.pop(said["id"], None)) is not None:
            _settle(future, said.get("said"), error)


def _settle(future: Future[Any], said: Any = None, error: Exception | None = None) -> None:
    if not future.set_running_or_notify_cancel():
        return
    if error is None:
        future.set_result(said)
    else:
        future.set_exception(error)
