"""An embeddings endpoint as it behaves and misbehaves, and what a snapshot takes from it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
import respx
from typer.testing import CliRunner
from worlds import item, write_build

from api.cli.main import app
from api.migrations import open_migrated
from recall.artefact import Artefact
from recall.build_table import read_table
from recall.content.snapshot import Snapshot, open_vectors
from recall.errors import ConfigError, ModelError
from recall.recallers.content import Content
from recall.recallers.tuning import Tuning
from recall.store import Store
from recall.workspace import Workspace
from rerank.interest import interest_of
from rerank.knowledge.config import KnowledgeConfig
from rerank.knowledge.embeddings import Embedder
from rerank.knowledge.snapshot import text_of, write_snapshot
from rerank.knowledge.store import save_facts
from rerank.knowledge.types import OPEN, Fact
from rerank.knowledge.vectors import KnownVectors
from rerank.types import Cause, Deadline, Request
from tests.fault_server import EMBEDDED, MODEL, FaultServer, fault_server, fault_server_in_thread

URL = "http://embeddings.test/v1"


def config(url: str = URL, **more: Any) -> KnowledgeConfig:
    return KnowledgeConfig(embeddings_url=url, embeddings_model=MODEL, **more)


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with fault_server() as running:
        yield running


def rows(vectors: list[Any]) -> dict[str, Any]:
    return {"data": [{"index": at, "embedding": vector} for at, vector in enumerate(vectors)]}


async def test_texts_go_out_in_batches_and_come_back_in_their_order(server: FaultServer) -> None:
    texts = [f"word{n} " * (n + 1) for n in range(10)]
    async with Embedder(config(server.url, embeddings_batch=3, concurrency=2)) as embedder:
        found = await embedder.embed(texts, Deadline.after(5))
    assert found.shape == (10, EMBEDDED) and found.sum(axis=1).tolist() == [n + 1.0 for n in range(10)]
    assert sorted(len(one["input"]) for one in server.asked) == [1, 3, 3, 3]
    assert 1 <= server.most_at_once <= 2


@respx.mock
async def test_the_key_and_the_model_are_sent_and_floats_are_asked_for() -> None:
    route = respx.post(f"{URL}/embeddings").mock(httpx.Response(200, json=rows([[1.0, 2.0]])))
    async with Embedder(config(embeddings_key="secret")) as embedder:
        await embedder.embed(["a"], Deadline.after(2))
    sent = route.calls[0].request
    assert sent.headers["Authorization"] == "Bearer secret"
    assert json.loads(sent.content) == {"model": MODEL, "input": ["a"], "encoding_format": "float"}


BAD = {
    "too few": rows([[1.0]]),
    "of two lengths": rows([[1.0, 2.0], [1.0]]),
    "not finite": rows([[1.0], [1e39]]),
    "no numbers": rows([["x"], ["y"]]),
    "empty": rows([[], []]),
    "null": rows([None, [1.0]]),
    "twice the same place": {"data": [{"index": 0, "embedding": [1.0]}] * 2},
    "a place beyond": {"data": [{"index": 0, "embedding": [1.0]}, {"index": 7, "embedding": [1.0]}]},
    "no data": {"error": "x"},
    "a list": [1, 2],
}


@respx.mock
@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
async def test_anything_but_one_vector_for_each_text_is_a_bad_reply(answer: Any) -> None:
    respx.post(f"{URL}/embeddings").mock(httpx.Response(200, json=answer))
    async with Embedder(config()) as embedder:
        with pytest.raises(ModelError) as failure:
            await embedder.embed(["a", "b"], Deadline.after(2))
    assert failure.value.cause == Cause.BAD_REPLY


@respx.mock
async def test_vectors_of_another_length_than_before_are_refused() -> None:
    respx.post(f"{URL}/embeddings").mock(
        side_effect=[httpx.Response(200, json=rows([[1.0, 2.0]])), httpx.Response(200, json=rows([[1.0]]))]
    )
    async with Embedder(config()) as embedder:
        await embedder.embed(["a"], Deadline.after(2))
        with pytest.raises(ModelError, match="1 numbers after vectors of 2"):
            await embedder.embed(["b"], Deadline.after(2))


@pytest.mark.parametrize(
    ("fault", "cause"),
    {
        "hang": Cause.DEADLINE,
        "drip": Cause.DEADLINE,
        "reset": Cause.CONNECTION,
        "429-huge": Cause.RATE_LIMITED,
        "500": Cause.SERVER_ERROR,
        "html": Cause.BAD_REPLY,
        "not-json": Cause.BAD_REPLY,
    }.items(),
)
async def test_every_fault_ends_by_the_deadline_with_its_cause(
    server: FaultServer, fault: str, cause: Cause
) -> None:
    server.fault = fault
    start = time.monotonic()
    async with Embedder(config(server.url)) as embedder:
        with pytest.raises(ModelError) as failure:
            await embedder.embed(["a"], Deadline.after(0.9))
    assert time.monotonic() - start < 0.9 + 0.25
    assert failure.value.cause == cause


async def test_one_failure_is_tried_again_and_a_wish_is_asked_for_once(server: FaultServer) -> None:
    server.faults.append("500")
    async with Embedder(config(server.url)) as embedder:
        first = await embedder.wish("something slow", Deadline.after(3))
        assert await embedder.wish("something slow", Deadline.after(3)) == first
    assert len(server.asked) == 2 and len(first) == EMBEDDED


def test_an_endpoint_without_a_model_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"both needed.*TF-IDF"):
        Embedder(KnowledgeConfig(embeddings_url=URL))


def test_known_vectors_outlive_a_process_that_was_cut_off_in_a_record(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "rows"
    known = KnownVectors(file, "e")
    hashes = [known.hash(text) for text in ("a", "b")]
    known.add(hashes, np.array([[1, 2], [3, 4]], np.float32))
    file.write_bytes(file.read_bytes()[:-3])
    again = KnownVectors(file, "e")
    assert again.has(hashes[0]) and not again.has(hashes[1])
    again.add(hashes[1:], np.array([[5, 6]], np.float32))
    assert KnownVectors(file, "e").of(hashes).tolist() == [[1, 2], [5, 6]]
    assert not KnownVectors(file, "another").has(hashes[0]) and not file.exists()


async def test_a_wish_becomes_what_the_artefact_takes_or_nothing(server: FaultServer) -> None:
    def stock(embedder: str) -> Callable[[], Any]:
        return lambda: SimpleNamespace(recall=SimpleNamespace(embedder=embedder))

    wish, soon = Request(None, wish="something slow"), Deadline.after(4)
    async with Embedder(config(server.url)) as embedder:
        assert await interest_of(stock(""), wish, embedder, soon) == "something slow"
        assert await interest_of(stock(embedder.name), Request(None), embedder, soon) is None
        assert await interest_of(stock("another"), wish, embedder, soon) is None
        assert await interest_of(stock(embedder.name), wish, None, soon) is None
        assert not server.asked
        found = await interest_of(stock(embedder.name), wish, embedder, soon)
        assert isinstance(found, tuple) and len(found) == EMBEDDED
    server.fault = "hang"
    async with Embedder(config(server.url)) as embedder:
        start = time.monotonic()
        assert await interest_of(stock(embedder.name), wish, embedder, Deadline.after(1)) is None
        assert time.monotonic() - start < 0.6


# -- the snapshot -----------------------------------------------------------------------------------------


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Store]:
    with open_migrated(f"sqlite:///{tmp_path / 'whyrec.db'}") as opened:
        yield opened


@pytest.fixture
def running() -> Iterator[tuple[FaultServer, Callable[[Any], Any]]]:
    with fault_server_in_thread() as pair:
        yield pair


def fact(value: str, confidence: float = 0.9, source: str = "title", of: str = "one") -> Fact:
    return Fact(item(of), "mood", value, confidence, source, "m", "p", 7)


def world(folder: Path, *more: str) -> Path:
    return write_build(folder, items=[*(f"{name} x 1990 Drama" for name in ("one", "two", "three")), *more])


def test_facts_are_written_as_the_settings_allow_and_only_when_something_changed(
    tmp_path: Path, sqlite: Store
) -> None:
    build, workspace = world(tmp_path), Workspace(tmp_path)
    plain = KnowledgeConfig()
    assert sqlite.run(write_snapshot(workspace, build, sqlite, plain)) is None
    facts = [fact("dark"), fact("odd", 0.3), fact("recalled", 0.9, OPEN)]
    sqlite.run(save_facts(sqlite, item("one"), "in", "pr", "m", facts))
    first = sqlite.run(write_snapshot(workspace, build, sqlite, plain))
    assert [v for _, v, _ in Snapshot.open(first).of([item("one")])[0]] == ["dark", "recalled"]
    assert sqlite.run(write_snapshot(workspace, build, sqlite, plain)) == first
    closed = KnowledgeConfig(open_world=False, floor=0.0)
    second = sqlite.run(write_snapshot(workspace, build, sqlite, closed))
    assert second != first and workspace.knowledge.current() == second
    assert [v for _, v, _ in Snapshot.open(second).of([item("one")])[0]] == ["dark", "odd"]


def test_a_text_that_did_not_change_keeps_its_vector(tmp_path: Path, sqlite: Store, running: Any) -> None:
    server, _ = running
    workspace, settings = Workspace(tmp_path), config(server.url)
    build = world(tmp_path)
    first = sqlite.run(write_snapshot(workspace, build, sqlite, settings))
    made = open_vectors(first)
    assert made is not None and made[0] == f"{server.url} {MODEL}"
    assert made[1].astype(str).tolist() == sorted(item(name) for name in ("one", "two", "three"))
    assert sum(len(one["input"]) for one in server.asked) == 3
    server.asked.clear()
    sqlite.run(save_facts(sqlite, item("two"), "in", "pr", "m", [fact("dark", of="two")]))
    second = sqlite.run(write_snapshot(workspace, world(tmp_path, "four x"), sqlite, settings))
    assert sorted(text for one in server.asked for text in one["input"]) == [
        "Four",
        "Two (1990)\nDrama\nmood: dark",
    ]
    assert second != first and len(open_vectors(second)[1]) == 4


def test_another_model_embeds_every_text_anew(tmp_path: Path, sqlite: Store, running: Any) -> None:
    server, _ = running
    build, workspace = world(tmp_path), Workspace(tmp_path)
    sqlite.run(write_snapshot(workspace, build, sqlite, config(server.url)))
    server.model, server.embedded = "another", 5
    server.asked.clear()
    other = config(server.url).model_copy(update={"embeddings_model": "another"})
    made = open_vectors(sqlite.run(write_snapshot(workspace, build, sqlite, other)))
    assert made[0] == f"{server.url} another" and made[2].shape == (3, 5) and len(server.asked) == 1


def test_an_endpoint_that_fails_leaves_the_earlier_snapshot_and_keeps_what_came_in(
    tmp_path: Path, sqlite: Store, running: Any
) -> None:
    server, _ = running
    workspace = Workspace(tmp_path)
    settings = config(server.url, embeddings_batch=1, concurrency=1)
    earlier = sqlite.run(write_snapshot(workspace, world(tmp_path), sqlite, settings))
    server.asked.clear()
    build = world(tmp_path, "four x", "five x", "six x")
    server.faults.extend([None, "html"])
    with pytest.raises(ModelError):
        sqlite.run(write_snapshot(workspace, build, sqlite, settings))
    assert workspace.knowledge.current() == earlier and workspace.knowledge.names() == [earlier.name]
    assert len(server.asked) == 2
    later = sqlite.run(write_snapshot(workspace, build, sqlite, settings))
    assert len(server.asked) == 4 and len(open_vectors(later)[1]) == 6
    texts = [one["input"][0] for one in server.asked]
    assert len(set(texts)) == 3 and texts[1] in texts[2:]


def test_training_says_when_the_endpoint_is_down_and_the_earlier_artefact_stays(
    whole: Path, tmp_path: Path, running: Any
) -> None:
    server, run = running
    shutil.copytree(whole.parent, tmp_path / "copy")
    file = tmp_path / "copy" / whole.name
    more = f'\n[knowledge]\nembeddings_url = "{server.url}"\nembeddings_model = "{MODEL}"\n'
    file.write_text(file.read_text() + more)
    workspace = Workspace(tmp_path / "copy" / "workspace")
    before = workspace.models.current()
    run(server.refuse())
    failed = CliRunner().invoke(app, ["train", "--config", str(file)])
    assert failed.exit_code == 1 and workspace.models.current() == before
    said = " ".join(failed.stderr.split())
    assert "previous artefact stays" in said and "embeddings_url" in said and server.url in said
    run(server.listen())
    ids = read_table(workspace.builds.current(), "items", ["item"])["item"].to_pylist()[:2]
    with open_migrated(f"sqlite:///{workspace.store_file}") as store:
        for id in ids:
            store.run(save_facts(store, id, "in", "pr", "m", [replace(fact("dread"), item=id)]))
    trained = CliRunner().invoke(app, ["train", "--config", str(file)])
    assert trained.exit_code == 0, trained.output
    artefact = Artefact.open(workspace.models.current())
    arrays = artefact.arrays["content"]
    assert Content(arrays, Tuning()).embedder == f"{server.url} {MODEL}"
    assert arrays["fact_names"].tolist() == [b"mood: dread"] and len(arrays["fact_codes"]) == 2
    assert sum("mood: dread" in text for one in server.asked for text in one["input"]) == 2


def test_an_items_text_is_its_own_words_then_its_facts() -> None:
    row = {"title": " Alien ", "year": 1979, "creators": ["Ridley Scott"], "categories": None}
    facts = [("theme", "survival", 0.9), ("mood", "dread", 0.8), ("mood", "slow", 0.7)]
    assert text_of(row, facts) == "Alien (1979)\nRidley Scott\nmood: dread, slow\ntheme: survival"
    assert text_of({"title": None}) == "" and len(text_of({"title": "x" * 9999})) == 2000
