"""A real vLLM: served by `whyrec llm serve`, used by whyrec, stopped; then in its own process.

In the order of the file: the server is up until the test that stops it. `make test-vllm` runs it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from langchain_openai import ChatOpenAI

from evals.crosscheck import Agreement, crosscheck
from prompts import load
from recall.errors import ConfigError, DataError
from recall.types import Item
from rerank.config import RankConfig
from rerank.integrations.langchain_model import LangChainModel
from rerank.llm.config import EndpointConfig
from rerank.llm.devserver.environment import Environment, ensure_environment, pip
from rerank.llm.embedded import EmbeddedModel
from rerank.llm.openai import OpenAIModel
from rerank.methods import METHODS, RankTask
from rerank.types import ChatModel, Deadline, Message, Sampling
from tests.engine_contract import FILMS, HISTORY, Contract, MethodContract

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[1]
WHYREC = Path(sys.executable).with_name("whyrec")


@pytest.fixture(scope="module")
def environment() -> Environment:
    try:
        return ensure_environment("cpu", say=lambda step: print(step, flush=True))
    except (ConfigError, DataError) as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def weights(environment: Environment, small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model in float16, which both engines take as it is (tests/float16_gguf.py)."""
    file = tmp_path_factory.mktemp("weights") / "smollm2-135m-f16.gguf"
    script = Path(__file__).with_name("float16_gguf.py")
    subprocess.run([environment.python, script, small_model, file], check=True)
    return file


@pytest.fixture(scope="module")
def same_weights(weights: Path) -> Iterator[ChatModel]:
    """The embedded engine over them."""
    model = EmbeddedModel(weights)
    yield model
    asyncio.run(model.aclose())


@dataclass
class Served:
    process: subprocess.Popen[str]
    variables: dict[str, str]
    log: Path

    @property
    def url(self) -> str:
        return self.variables["OPENAI_BASE_URL"]

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1].removesuffix("/v1"))


@pytest.fixture(scope="module")
def served(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`whyrec llm serve` as a process, once it has printed its two lines."""
    log = tmp_path_factory.mktemp("serve") / "log"
    command = [WHYREC, "llm", "serve", weights, "--port", "0", "--build", "cpu"]
    with (
        log.open("w") as errors,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(2)]
            found = [re.fullmatch(r"export (\w+)=(\S+)\n", line) for line in lines]
            assert all(found), (lines, log.read_text())
            yield Served(process, {m[1]: m[2] for m in found if m}, log)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


async def test_it_can_all_that_the_methods_need(served: Served) -> None:
    model = OpenAIModel(EndpointConfig(base_url=served.url))
    found = await model.capabilities(Deadline.after(60))
    await model.aclose()
    assert found.json_schema and found.logprobs and found.tokenizer and found.masks
    assert (found.context, found.top_logprobs) == (4096, 20)


class TestServer(Contract, MethodContract):
    @pytest.fixture
    async def model(self, served: Served) -> AsyncIterator[ChatModel]:
        made = OpenAIModel(EndpointConfig(base_url=served.url))
        await made.capabilities(Deadline.after(60))
        yield made
        await made.aclose()


class TestLangChainOverServer(Contract):
    @pytest.fixture
    async def model(self, served: Served) -> ChatModel:
        name = served.variables["OPENAI_MODEL"]
        return LangChainModel(ChatOpenAI(model=name, base_url=served.url, api_key="none"))


async def test_the_second_call_with_the_same_prompt_finds_it_in_the_cache(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    model = OpenAIModel(EndpointConfig(base_url=served.url))
    asked = [Message("user", " ".join(f"line {n} of {time.time_ns()}" for n in range(60)))]
    replies = []
    for _ in range(2):
        replies.append(await model.chat(asked, sampling=Sampling(1), deadline=Deadline.after(60)))
    await model.aclose()
    first, second = replies
    with capsys.disabled():
        print(
            f"\nprefix cache: {first.usage.prompt} tokens {first.seconds:.2f} s, again {second.seconds:.2f} s"
        )
    assert first.usage.cached < first.usage.prompt / 2 < second.usage.cached
    assert second.seconds < first.seconds / 2


@pytest.mark.parametrize("method", ["logits", "pointwise"])
async def test_vllm_and_embedded_agree_over_the_same_weights(
    served: Served, same_weights: ChatModel, method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served_model = OpenAIModel(EndpointConfig(base_url=served.url))
    await served_model.capabilities(Deadline.after(60))
    await same_weights.capabilities(Deadline.after(120))
    found = await crosscheck(served_model, same_weights, lists(method), method, Deadline.after(400))
    await served_model.aclose()
    with capsys.disabled():
        print(f"\n{shown(found)}")
    assert found.lists == 20 and found.pairs >= 100
    assert found.decisive >= 0.8


def test_recommend_uses_it_and_once_stopped_nothing_is_left(served: Served, whole: Path) -> None:
    done = subprocess.run(
        [WHYREC, "recommend", "cinema:u1", "-k", "3", "--json", "--deadline", "120", "--config", whole],
        cwd=ROOT, env={**os.environ, **served.variables}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    how = json.loads(done.stdout)["provenance"]
    assert how["model"] == served.variables["OPENAI_MODEL"] and how["rerank_status"] != "skipped"

    family = descendants(served.process.pid)
    assert len(family) >= 3  # the guard, vLLM's server, its engine
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(60) == 0
    assert [pid for pid in family if alive(pid)] == []
    with socket.create_server(("127.0.0.1", served.port)):
        pass


def test_the_contract_holds_in_vllms_own_environment(
    environment: Environment, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """whyrec goes in without its dependencies and without our constraints."""
    index = "check the network and pip's index"
    pip(environment, "--no-deps", "--editable", str(ROOT), remedy=index)
    pip(environment, "pytest", "pytest-asyncio", remedy=index)
    command = [str(environment.python), "-m", "pytest", "-q", "--noconftest", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "tests/vllm_contract.py"],
        cwd=ROOT, env={**os.environ, "WHYREC_TEST_WEIGHTS": str(weights)}, capture_output=True, text=True,
    )  # fmt: skip
    tail = done.stdout[-3000:]
    with capsys.disabled():
        print(f"\nin vLLM's environment: {tail.strip().splitlines()[-1] if tail.strip() else 'nothing'}")
    assert done.returncode == 0, tail + done.stderr[-1500:]


def lists(method: str) -> list[RankTask]:
    """20 lists of 8 films behind the same history, each with its own."""
    titles = [
        "Jaws", "Vertigo", "Casablanca", "Fargo", "Gladiator", "Amadeus", "Rocky", "Psycho", "Platoon",
        "Braveheart", "Titanic", "Seven", "Memento", "Chinatown", "Goodfellas", "Network", "Clueless",
        "Speed", "Scream", "Contact", "Twister", "Antz", "Mulan", "Babe", "Gandhi", "Tootsie",
    ]  # fmt: skip
    films = [Item(f"t{n}", title, 1960 + n, categories=("Drama",)) for n, title in enumerate(titles)]
    prompt = load(METHODS[method].prompt, domain="films")
    shown = [tuple([*films, *FILMS][(n * 5 + step * 3) % 32] for step in range(8)) for n in range(20)]
    return [RankTask(HISTORY, each, prompt, settings=RankConfig()) for each in shown]


def shown(found: Agreement) -> str:
    return (
        f"{found.method}: Kendall's tau over {found.lists} lists {found.tau:.3f}; over the {found.pairs} of "
        f"{found.all_pairs} pairs that differ by more than 0.1 on both {found.decisive:.3f}; "
        f"largest gap of a list {found.difference:.3f}"
    )


def descendants(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, todo = [], [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found


def alive(pid: int) -> bool:
    """A zombie is not: its parent has not asked for it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
