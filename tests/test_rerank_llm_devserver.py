"""The parts of `whyrec llm serve` that need no vLLM: the guard, the flags, what a model's name stands for."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recall.errors import ConfigError, DataError, ModelError, NotFound
from rerank.llm.devserver import guard
from rerank.llm.devserver.environment import Environment, ensure_environment, needed
from rerank.llm.devserver.models import Adapter, Served, prepare, read_adapter
from rerank.llm.devserver.server import ServeOptions, flags, running

STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(100)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(100)
"""
"""Ignores every wish to end, and so does its child."""


def gone(pid: int, seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def guarded(code: str, *, of: list[str] | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, guard.__file__, "0.3", sys.executable, "-c", code]
    return subprocess.Popen(of or command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_the_guard_started_ends_with_standard_input_whatever_it_ignores() -> None:
    with guarded(STUBBORN) as process:
        assert process.stdout is not None and process.stdin is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        process.stdin.close()
        process.wait(20)
        assert all(gone(pid) for pid in pids)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_is_left_when_whoever_asked_is_killed() -> None:
    code = f"""
import subprocess, sys
subprocess.Popen([sys.executable, {guard.__file__!r}, "0.3", sys.executable, "-c", {STUBBORN!r}],
    stdin=subprocess.PIPE, start_new_session=True).wait()
"""
    with guarded("", of=[sys.executable, "-c", code]) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        os.kill(process.pid, signal.SIGKILL)
        process.wait(20)
        assert all(gone(pid) for pid in pids)


def test_the_guard_ends_as_its_command_did() -> None:
    with guarded("import sys; sys.exit(7)") as process:
        assert process.wait(20) == 7


def test_flags_ask_for_log_probabilities_after_a_mask_and_for_the_prefix_cache() -> None:
    served = Served("small", "/models/small", local=True, exact=True)
    found = flags(served, [Adapter("taste", Path("/a"), 12)], ServeOptions(context=2048), "cpu")
    text = " ".join(found)
    for part in (
        "--logprobs-mode processed_logprobs --max-logprobs 20",
        "--enable-prefix-caching",
        "--max-model-len 2048",
        "--dtype float32",
        "--enable-lora --max-lora-rank 16 --lora-modules taste=/a",
    ):
        assert part in text
    assert "--enforce-eager" not in flags(served, [], ServeOptions(), "cuda")


def test_what_images_and_sound_need_is_left_out_of_the_environment() -> None:
    kept = needed(
        [
            "torch==2.13.0+cpu; platform_machine == 'x86_64'",
            "torchvision; platform_machine != 'riscv64'",
            "fastapi[standard]<0.137.0,>=0.133.0",
            "mistral_common[image]>=1.11.6",
            "opencv-python-headless>=4.13.0",
            'pandas; extra == "bench"',
        ]
    )
    assert kept == ["fastapi[standard]<0.137.0,>=0.133.0", "mistral_common>=1.11.6"]


def test_a_folder_a_hub_name_and_nothing_at_all(tmp_path: Path) -> None:
    environment = Environment(tmp_path, "cpu")
    (tmp_path / "model").mkdir()
    with pytest.raises(NotFound, match=r"no config\.json"):
        prepare(str(tmp_path / "model"), environment)
    (tmp_path / "model" / "config.json").write_text("{}")
    assert prepare(str(tmp_path / "model"), environment).local
    assert prepare("some-org/some-model", environment) == Served(
        "some-org/some-model", "some-org/some-model", local=False
    )
    with pytest.raises(NotFound, match="whyrec llm pull"):
        prepare("no-such-model", environment)


def test_an_adapter_is_a_folder_that_peft_wrote(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"adapter_config\.json"):
        read_adapter(str(tmp_path))
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 4}))
    assert read_adapter(f"taste={tmp_path}") == Adapter("taste", tmp_path, 4)
    with pytest.raises(ConfigError, match="letters, digits"):
        read_adapter(f"a b={tmp_path}")


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    served = Served("m", "m", local=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        options = ServeOptions(port=port)
        with (
            pytest.raises(ConfigError, match=f"{port}.*choose another port"),
            running(Environment(tmp_path, "cpu"), served, options),
        ):
            pass


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    """An environment whose Python has no vLLM."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    served = Served("m", "m", local=True)
    with (
        pytest.raises(ModelError, match=r"vLLM ended while it started: .*vllm"),
        running(Environment(tmp_path, "cpu"), served, ServeOptions(port=0)),
    ):
        pass


@pytest.mark.long
def test_an_index_without_the_packages_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHYREC_VLLM", str(tmp_path / "env"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    steps: list[str] = []
    with pytest.raises(DataError, match="PIP_EXTRA_INDEX_URL"):
        ensure_environment("cpu", say=steps.append)
    assert len(steps) == 2 and not (tmp_path / "env" / "whyrec.json").exists()
