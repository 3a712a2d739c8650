"""What a running service holds of a generation: the current one, opened, changed under it without a pause."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from recall.errors import NotFound, WhyrecError
from recall.generations import Generations

T = TypeVar("T")


class Current(Generic[T]):
    """Gives what `open` makes of the current generation. Safe to use from several threads.

    Every `look_seconds` one caller looks which generation is current and, when another one is, opens it
    while all others go on with the old one; who holds the old one keeps it until he lets go. When the new
    one is refused, the old one stays and `problem` says why.
    """

    def __init__(
        self, generations: Generations, open: Callable[[Path], T], *, look_seconds: float = 0.5
    ) -> None:
        """Opens the current generation; NotFound where there is none, and whatever `open` raises."""
        self._generations = generations
        self._open = open
        self._look_seconds = look_seconds
        self._lock = threading.Lock()
        folder = generations.current()
        self._held = (folder.name, open(folder))
        self._refused = ""
        self._looked = time.monotonic()
        self.problem: str | None = None

    @property
    def name(self) -> str:
        """Name of the generation that `get` gave last."""
        return self._held[0]

    def get(self) -> T:
        """What was opened of the current generation."""
        if time.monotonic() - self._looked >= self._look_seconds and self._lock.acquire(blocking=False):
            try:
                self._look()
                self._looked = time.monotonic()
            finally:
                self._lock.release()
        return self._held[1]

    def _look(self) -> None:
        try:
            folder = self._generations.current()
            if folder.name in (self._held[0], self._refused):
                return
            self._held = (folder.name, self._open(folder))
            self._refused, self.problem = "", None
        except (WhyrecError, OSError) as error:
            # A name is tried once; a pointer that can't be read is looked at again.
            self._refused = "" if isinstance(error, NotFound) else folder.name
            self.problem = str(error)
