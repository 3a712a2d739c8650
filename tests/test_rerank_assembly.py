"""What a pipeline stands on changes under it, and only when an artefact is made current."""

import asyncio

import pytest

from api.opening import open_pipeline
from api.settings import load_settings
from recall.workspace import Workspace
from rerank.types import Request
from tests.whole import trained, whyrec


@pytest.fixture
def config(tmp_path):
    return trained(tmp_path)


async def artefact_of(pipeline):
    """Name of the artefact of an answer, once the pipeline has had time to look."""
    await asyncio.sleep(0.6)
    return (await pipeline.recommend(Request(None, k=3, mode="recall"))).provenance.artefact


async def test_an_open_pipeline_follows_training_and_models_use(config):
    settings = load_settings(config)
    models = Workspace(settings.workspace).models
    async with open_pipeline(settings) as (pipeline, _):
        first = await artefact_of(pipeline)
        assert (await asyncio.to_thread(whyrec, "train", "--config", config)).exit_code == 0
        second = await artefact_of(pipeline)
        assert second != first
        assert second == models.current().name
        assert (await asyncio.to_thread(whyrec, "models", "use", first, "--config", config)).exit_code == 0
        assert await artefact_of(pipeline) == first


async def test_after_an_ingest_the_artefact_keeps_its_own_build(config):
    settings = load_settings(config)
    builds = Workspace(settings.workspace).builds
    async with open_pipeline(settings) as (pipeline, _):
        before = pipeline.library.build
        for _ in range(4):  # more than are kept
            ratings = config.parent / "ratings.csv"
            ratings.write_text(ratings.read_text() + "u1,c9,5,1700000000\n")
            assert (await asyncio.to_thread(whyrec, "ingest", "--config", config)).exit_code == 0
        assert builds.current().name != before
        await artefact_of(pipeline)
        assert pipeline.library.build == before
    async with open_pipeline(settings) as (pipeline, _):  # a start without training is no different
        assert pipeline.library.build == before
