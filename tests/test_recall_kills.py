"""kill −9 at random moments of training and of activation, under a service that goes on answering."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from test_recall_train import SMALL, two_tastes

from recall.artefact import Artefact, verify
from recall.train import train
from recall.workspace import Workspace

ROOT = Path(__file__).parents[1]
TRAIN = """
import sys
from pathlib import Path
from recall.train import train
from recall.train_config import TrainConfig
from recall.workspace import Workspace

if __name__ == "__main__":
    config = TrainConfig(factors=8, iterations=5, threads=1, seed=int(sys.argv[2]), device="cpu")
    train(Workspace(Path(sys.argv[1])), config, wait=True)
"""
ACTIVATE = """
import sys
from pathlib import Path
from recall.artefact import activate
from recall.workspace import Workspace

models = Workspace(Path(sys.argv[1])).models
while True:
    for name in sys.argv[2:]:
        activate(models, name)
"""
SERVE = """
import asyncio, sys
from pathlib import Path
from api.opening import open_pipeline
from api.settings import load_settings
from rerank.types import Request

async def main():
    async with open_pipeline(load_settings(Path(sys.argv[1]))) as (pipeline, _):
        while await asyncio.to_thread(sys.stdin.readline):
            answer = await pipeline.recommend(Request(None, platform="cinema", k=3, mode="recall"))
            print(answer.provenance.artefact, len(answer.items), flush=True)

asyncio.run(main())
"""


class Service:
    """The pipeline that is served, in a process of its own, asked again and again by a thread."""

    def __init__(self, config: Path, script: Path) -> None:
        script.write_text(SERVE)
        self.answers: list[tuple[str, int]] = []
        self.slowest = 0.0
        self._process = subprocess.Popen(
            [sys.executable, script, config],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        assert self._process.stdin and self._process.stdout
        while not self._stop.is_set():
            asked = time.monotonic()
            self._process.stdin.write("\n")
            self._process.stdin.flush()
            name, count = self._process.stdout.readline().split()
            if self.answers:
                self.slowest = max(self.slowest, time.monotonic() - asked)
            self.answers.append((name, int(count)))
            time.sleep(0.005)

    def answer(self, after: int) -> str:
        """Name in the last answer, once so many more came."""
        end, until = len(self.answers) + after, time.monotonic() + 60
        while len(self.answers) < end:
            assert self._thread.is_alive() and time.monotonic() < until, "the service does not answer"
            time.sleep(0.01)
        return self.answers[-1][0]

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=10)
        self._process.kill()
        self._process.wait()


@pytest.fixture
def service(tmp_path: Path):
    two_tastes(tmp_path)
    train(Workspace(tmp_path), SMALL)
    config = tmp_path / "whyrec.toml"
    config.write_text('workspace = "."\n[llm]\nengine = "none"\n')
    opened = Service(config, tmp_path / "serve.py")
    yield opened
    opened.close()


@pytest.mark.long
def test_a_service_answers_with_the_old_or_the_new_artefact_whenever_work_is_killed(
    tmp_path: Path, service: Service
) -> None:
    workspace = Workspace(tmp_path)
    rng = random.Random(5)
    service.answer(after=1)
    started = time.monotonic()
    train(workspace, SMALL)
    whole = time.monotonic() - started + 1.0
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "activate.py").write_text(ACTIVATE)
    killed, changed = 0, 0
    for attempt in range(50):
        known = workspace.models.names()
        current = workspace.models.current().name
        time.sleep(0.6)
        served = service.answer(after=2)
        assert served == current, "it follows what is current"
        mark = len(service.answers)
        activating = attempt % 3 == 2
        what = ["activate.py", tmp_path, *known[-2:]] if activating else ["train.py", tmp_path, str(attempt)]
        # In a session of its own, so that half of the kills take the trainer's subprocess as well.
        process = subprocess.Popen(
            [sys.executable, tmp_path / what[0], *what[1:]], start_new_session=True, cwd=ROOT
        )
        time.sleep(rng.uniform(0.0, min(whole, 4.0) if activating else whole))
        if process.poll() is None:
            killed += 1
            target = os.killpg if attempt % 2 else os.kill
            target(process.pid, signal.SIGKILL)
        process.wait()
        now = workspace.models.current().name
        allowed = set(known[-2:]) | {current} if activating else {current, now}
        assert now in allowed if activating else now == current or now not in known
        changed += now != current
        service.answer(after=2)
        assert {name for name, _ in service.answers[mark:]} <= allowed
        assert all(count == 3 for _, count in service.answers[mark:])
        Artefact.open(workspace.models.current())
        for name in workspace.models.names():
            verify(workspace.models.folder / name)
    assert killed >= 25 and changed >= 1
    assert service.slowest < 10
    last = train(workspace, SMALL, wait=True).name
    assert workspace.models.current().name == last
    time.sleep(0.6)
    assert service.answer(after=2) == last
