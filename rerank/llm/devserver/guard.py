"""Runs a command so that nothing of it outlives whoever asked: `python guard.py SECONDS COMMAND …`

The command gets a session of its own. When standard input closes (it was told to stop, or whoever started
it died, even by SIGKILL) or the command ends by itself, it is asked to end, and after SECONDS whatever is
left in its process group is killed. Exits as the command did. Needs nothing but the standard library.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress

POLL = 0.2
"""Seconds between two looks at the command."""


def main(seconds: float, command: list[str]) -> int:
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            while process.poll() is None and not _closed():
                pass
        finally:
            _end(process, seconds)
    return process.returncode


def _closed() -> bool:
    """Whether standard input has come to its end; waits for it for a moment."""
    ready, _, _ = select.select([0], [], [], POLL)
    return bool(ready) and os.read(0, 1024) == b""


def _end(process: subprocess.Popen[bytes], seconds: float) -> None:
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    until = time.monotonic() + 5
    with suppress(ProcessLookupError):  # the group is empty
        while time.monotonic() < until:
            os.killpg(process.pid, signal.SIGKILL)
            process.poll()
            time.sleep(0.05)


if __name__ == "__main__":
    # A terminal's Ctrl-C goes to whoever started this, who then closes standard input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
