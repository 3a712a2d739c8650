"""Several serving processes on one socket, watched by the one that started them.

Each worker maps the same artefact, so its factors are in memory once. Each one has its own: the build's
events and items, a language model in the process, circuit breakers, memory caches. Shared through the store
are budgets, rate limits and the journal; figures are added up through files.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

from recall.errors import WhyrecError

_QUICK_DEATHS = 5
_QUICK_SECONDS = 30.0
"""So many workers that end by themselves within so many seconds stop the service: it can't start."""

_CODE = "from api.workers import work; work()"


def supervise(config: Path, listener: socket.socket, count: int) -> None:
    """Keep `count` workers running until SIGTERM or SIGINT; returns when all have drained and ended.

    WhyrecError when they keep ending by themselves.
    """
    stop: list[int] = []
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda number, _frame: stop.append(number))
    read, write = os.pipe()
    deaths: deque[float] = deque(maxlen=_QUICK_DEATHS)
    with tempfile.TemporaryDirectory(prefix="whyrec-metrics-") as figures:
        environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": figures}

        def start() -> subprocess.Popen[bytes]:
            arguments = [str(listener.fileno()), str(read), str(config)]
            return subprocess.Popen(
                [sys.executable, "-c", _CODE, *arguments],
                pass_fds=(listener.fileno(), read),
                env=environment,
                start_new_session=True,  # a Ctrl-C reaches them through us alone
            )

        workers = [start() for _ in range(count)]
        try:
            while not stop:
                time.sleep(0.1)
                for place, worker in enumerate(workers):
                    if worker.poll() is None or stop:
                        continue
                    deaths.append(time.monotonic())
                    if len(deaths) == _QUICK_DEATHS and deaths[-1] - deaths[0] < _QUICK_SECONDS:
                        raise WhyrecError(
                            f"{_QUICK_DEATHS} workers ended within {_QUICK_SECONDS:.0f} s, the last one with "
                            f"exit code {worker.returncode}: the lines above say why; `whyrec doctor` looks"
                        )
                    workers[place] = start()
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.wait()
            os.close(write)
            os.close(read)


def work() -> None:
    """A worker process; its arguments: the socket, the pipe that its parent holds, the configuration."""
    import asyncio

    from api.server import serve
    from api.settings import load_settings

    socket_fd, parent, config = sys.argv[1:]
    with socket.socket(fileno=int(socket_fd)) as listener:
        try:
            asyncio.run(serve(load_settings(Path(config)), listener, parent=int(parent)))
        except WhyrecError as error:
            print(f"error: {error}", file=sys.stderr)
            raise SystemExit(1) from error
