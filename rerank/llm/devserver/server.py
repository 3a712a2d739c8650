"""vLLM's server as a process of ours: started with flags that fit ranking, waited for, ended with its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from recall.errors import ConfigError, ModelError
from rerank.llm.devserver.environment import Environment, Flavour, Say
from rerank.llm.devserver.models import RANKS, Adapter, Served
from rerank.types import Cause

GRACE = 20.0
"""Seconds that vLLM gets to end by itself."""

WARM_SECONDS = 180.0
"""How long its first answer may take: it compiles kernels (23 s on two cores with SmolLM2)."""


class ServeOptions(BaseModel):
    """How to serve. Port 0 takes a free one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    context: int = Field(4096, ge=256)
    """Tokens that prompt and answer may take together."""
    kv_cache_gb: int = Field(2, ge=1)
    """Memory for prompts' keys and values; on a GPU vLLM takes what is free."""
    dtype: str | None = None
    """None: float32 for a dequantised model, else what the model has."""
    seconds: float = Field(900.0, gt=0)
    """How long it may take to start."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers. `url` ends in /v1."""

    url: str
    model: str
    guard: subprocess.Popen[bytes]
    log: Path


def flags(served: Served, adapters: Sequence[Adapter], options: ServeOptions, flavour: Flavour) -> list[str]:
    """vLLM's own options. Log-probabilities are taken after a mask to the labels, 20 of them at most."""
    found = ["--model", served.source, "--served-model-name", served.name]
    found += ["--host", options.host, "--port", str(options.port), "--max-model-len", str(options.context)]
    found += ["--enable-prefix-caching", "--enable-prompt-tokens-details"]
    found += ["--logprobs-mode", "processed_logprobs", "--max-logprobs", "20"]
    # A model's own sampling defaults would stand in for what a request leaves out.
    found += ["--generation-config", "vllm"]
    found += ["--default-chat-template-kwargs", '{"enable_thinking": false}']
    dtype = options.dtype or ("float32" if served.exact and flavour == "cpu" else None)
    if dtype:
        found += ["--dtype", dtype]
    if flavour == "cpu":
        found += ["--enforce-eager"]
    if adapters:
        rank = next(each for each in RANKS if each >= max(adapter.rank for adapter in adapters))
        found += ["--enable-lora", "--max-lora-rank", str(rank), "--lora-modules"]
        found += [f"{adapter.name}={adapter.folder}" for adapter in adapters]
    return found


@contextmanager
def running(
    environment: Environment,
    served: Served,
    options: ServeOptions,
    *,
    adapters: Sequence[Adapter] = (),
    say: Say = lambda _: None,
) -> Iterator[Running]:
    """The server, from its first answer until the block ends; then no process of it is left.

    ConfigError where the port is taken; ModelError with the log's last lines where it does not start.
    """
    options = options.model_copy(update={"port": _free_port(options.host, options.port)})
    log = environment.folder / f"serve-{options.port}.log"
    guard = Path(__file__).with_name("guard.py")
    command = [sys.executable, str(guard), str(GRACE), str(environment.python)]
    command += ["-m", "vllm.entrypoints.openai.api_server"]
    command += flags(served, adapters, options, environment.flavour)
    surroundings = {**os.environ, "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    surroundings["VLLM_CPU_KVCACHE_SPACE"] = str(options.kv_cache_gb)
    if served.local:
        surroundings |= {"HF_HUB_OFFLINE": "1"}
    say(f"starting vLLM with {served.name}; its log is {log}")
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=surroundings,
            start_new_session=True,
        )
    try:
        shown = f"[{options.host}]" if ":" in options.host else options.host
        address = f"http://{'127.0.0.1' if shown == '0.0.0.0' else shown}:{options.port}"
        _wait(process, address, served.name, log, options.seconds, say)
        yield Running(f"{address}/v1", served.name, process, log)
    finally:
        stop(process)


def stop(guard: subprocess.Popen[bytes]) -> None:
    """End the server and wait until it has gone."""
    if guard.stdin is not None:
        with suppress(OSError):
            guard.stdin.close()
    try:
        guard.wait(GRACE + 15)
    except subprocess.TimeoutExpired:
        guard.send_signal(signal.SIGTERM)
        guard.wait(GRACE + 15)


def _wait(
    process: subprocess.Popen[bytes], address: str, name: str, log: Path, seconds: float, say: Say
) -> None:
    import httpx

    until = time.monotonic() + seconds
    with httpx.Client(timeout=5, trust_env=False) as client:
        while True:
            if process.poll() is not None:
                raise ModelError(f"vLLM ended while it started: {_last(log)}", Cause.NO_MODEL)
            if time.monotonic() > until:
                raise ModelError(f"vLLM did not answer within {seconds:g} s: see {log}", Cause.DEADLINE)
            try:
                if client.get(f"{address}/health").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.5)
        say("asking it once, since the first answer compiles its kernels")
        choice = {"structured_outputs": {"choice": ["A", "B"]}, "logprobs": True, "top_logprobs": 2}
        body = {
            "model": name,
            "messages": [{"role": "user", "content": "A or B?"}],
            "max_tokens": 1,
            **choice,
        }
        try:
            answer = client.post(f"{address}/v1/chat/completions", json=body, timeout=WARM_SECONDS)
        except httpx.TransportError as error:
            raise ModelError(f"vLLM gave no first answer: see {log}", Cause.NO_MODEL) from error
        if answer.status_code != 200:
            raise ModelError(f"vLLM's first answer is {answer.status_code}: {_last(log)}", Cause.NO_MODEL)


def _last(log: Path) -> str:
    """What the log says went wrong: its last line that names an error, else its last line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    named = [line for line in lines if "Error" in line]
    return f"{(named or lines or ['no message'])[-1][:300]} (the whole log: {log})"


def _free_port(host: str, port: int) -> int:
    """`port` where nobody listens on it, or any free one for 0."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"--host {host} --port {port}: {error.strerror}; choose another port"
            ) from error
        return int(probe.getsockname()[1])
