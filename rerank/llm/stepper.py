"""The thread that loads a continuous-batching pipeline and steps it; the only one that touches it."""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from recall.errors import ModelError
from rerank.types import Cause, Deadline

HANDOVER = 0.0005
"""Seconds between two steps in which other threads run; a decoding step takes about 10 ms."""


class Job:
    """One request: token ids, a GenerationConfig, and the future of its GenerationOutput."""

    def __init__(self, ids: Any, config: Any, deadline: Deadline) -> None:
        self.ids, self.config, self.deadline = ids, config, deadline
        self.future: Future[Any] = Future()
        self.abandoned = False
        """Set by the caller when nobody waits any more."""
        self.handle: Any = None

    @property
    def dead(self) -> bool:
        return self.abandoned or self.future.cancelled() or not self.deadline.left()

    def finish(self, output: Any = None, error: Exception | None = None) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        if error is None:
            self.future.set_result(output)
        else:
            self.future.set_exception(error)


class Stepper:
    """Runs `load()` in its thread on first use, then steps what it returns while there are jobs."""

    def __init__(self, load: Callable[[], Any], name: str) -> None:
        self._load, self._name = load, name
        self.pipeline: Any = None
        """Set once loaded. Its tokenizer may be used from any thread."""
        self._jobs: queue.SimpleQueue[Sequence[Job] | None] = queue.SimpleQueue()
        self._loaded: Future[None] | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)

    def ready(self) -> asyncio.Future[None]:
        """Done once the pipeline is loaded; starts the thread. Raises ModelError when loading failed."""
        return asyncio.shield(asyncio.wrap_future(self._start()))

    def submit(self, jobs: Sequence[Job]) -> None:
        self._start()
        self._jobs.put(jobs)

    def close(self) -> None:
        """Stop the thread and free the model; jobs under way fail. The next use loads it again."""
        with self._lock:
            thread, self._thread, self._loaded = self._thread, None, None
        if thread is not None:
            self._jobs.put(None)
            thread.join()

    def _start(self) -> Future[None]:
        with self._lock:
            if self._loaded is None or (self._loaded.done() and self._loaded.exception() is not None):
                self._loaded = Future()
                self._loaded.set_running_or_notify_cancel()
                self._thread = threading.Thread(
                    target=self._work, args=(self._loaded,), name=self._name, daemon=True
                )
                self._thread.start()
            return self._loaded

    def _work(self, loaded: Future[None]) -> None:
        try:
            self.pipeline = self._load()
        except Exception as error:
            failure = ModelError(f"the embedded model can't be loaded: {error}", Cause.NO_MODEL)
            failure.__cause__ = error
            loaded.set_exception(failure)
            return
        loaded.set_result(None)
        active: list[Job] = []
        while True:
            if not self._accept(active):
                break
            self._drop_dead(active)
            if not active:
                continue
            try:
                self.pipeline.step()
            except Exception as error:  # the library's own, without a common base
                self._recover(active, error)
                continue
            active[:] = [job for job in active if not self._done(job)]
            # step() keeps the interpreter lock and would take it again at once: let the event loop have it.
            time.sleep(HANDOVER)
        for job in active:
            self._end(job, ModelError("the embedded model was closed", Cause.NO_MODEL))
        self._drain()
        self.pipeline = None

    def _accept(self, active: list[Job]) -> bool:
        """Take in new jobs, waiting for one when idle. False when the stepper is to close."""
        while True:
            try:
                jobs = self._jobs.get(block=not active)
            except queue.Empty:
                return True
            if jobs is None:
                return False
            for job in jobs:
                if job.dead:
                    job.finish(error=_late())
                    continue
                try:
                    job.handle = self.pipeline.add_request(next(self._numbers), job.ids, job.config)
                except Exception as error:
                    job.finish(error=_refused(error))
                    continue
                active.append(job)

    def _drop_dead(self, active: list[Job]) -> None:
        dead = [job for job in active if job.dead]
        for job in dead:
            self._end(job, _late())
        if dead:
            active[:] = [job for job in active if job not in dead]
            self._drain()

    def _done(self, job: Job) -> bool:
        status = job.handle.get_status()
        if status.name == "RUNNING":
            return False
        if status.name == "FINISHED":
            job.finish(job.handle.read_all()[0])
        else:
            job.finish(error=ModelError("the embedded model has no room for this prompt", Cause.CONTEXT))
        return True

    def _recover(self, active: list[Job], error: Exception) -> None:
        """A failed step may be any job's fault: all fail, and the pipeline is emptied or loaded anew."""
        for job in active:
            self._end(job, _refused(error))
        active.clear()
        try:
            self._drain()
        except Exception:
            self.pipeline = None
            self.pipeline = self._load()

    def _end(self, job: Job, error: ModelError) -> None:
        job.handle.cancel()
        job.finish(error=error)

    def _drain(self) -> None:
        """Let the pipeline free what cancelled requests held; what runs goes on by a step."""
        if self.pipeline.has_non_finished_requests():
            self.pipeline.step()


def _late() -> ModelError:
    return ModelError("no answer by the deadline", Cause.DEADLINE)


def _refused(error: Exception) -> ModelError:
    failure = ModelError(f"the embedded model refused the request: {str(error)[-200:]}", Cause.BAD_REQUEST)
    failure.__cause__ = error
    return failure
