"""The rerankers' wire: the order is the model's, and other services' clients are understood."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from rerank.llm import LLMConfig
from tests.doors import doors
from tests.openai_server import MODEL, openai_server

DOCUMENTS: list[Any] = ["A desert story", {"text": "The old fisherman"}, "Sea of grass"]


async def _rerank(door: httpx.AsyncClient, path: str = "/rerank", **body: Any) -> dict[str, Any]:
    answer = await door.post(path, json={"query": "the sea", "documents": DOCUMENTS, **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
def model() -> Any:
    with openai_server() as server:
        yield server


async def test_the_model_s_order_comes_back_by_index(whole: Path, tmp_path: Path, model: Any) -> None:
    llm = LLMConfig(engine="openai", base_url=model.url)
    async with doors(whole, tmp_path, llm=llm) as door:
        found = await _rerank(door)
        assert [one["index"] for one in found["results"]] == [2, 1, 0]  # the test's model turns lists round
        scores = [one["relevance_score"] for one in found["results"]]
        assert scores == sorted(scores, reverse=True) and scores[-1] > 0 and scores[0] <= 1
        assert found["results"][1]["document"] == {"text": "The old fisherman"}
        assert (found["model"], found["meta"]) == (MODEL, {"rerank_status": "full", "cause": None})
        assert found["usage"]["total_tokens"] > found["usage"]["prompt_tokens"] > 0
        assert len((await _rerank(door, top_n=1))["results"]) == 1
        seen = [each["body"] for each in model.requests() if each["path"] == "/v1/chat/completions"]
    asked = str([each["messages"] for each in seen])
    assert "the sea" in asked and "old fisherman" in asked


async def test_each_service_s_client_is_understood(whole: Path, tmp_path: Path) -> None:
    async with doors(whole, tmp_path) as door:
        jina = await _rerank(door, "/v1/rerank", model="jina-reranker-v2", top_n=2, return_documents=False)
        assert all("document" not in one for one in jina["results"])
        cohere = await _rerank(door, "/v2/rerank", model="rerank-v3.5", max_tokens_per_doc=4096, priority=0)
        assert all("document" not in one for one in cohere["results"])
        vllm = await _rerank(door, model="BAAI/bge-reranker", truncate_prompt_tokens=512, user="x")
        assert all(one["document"]["text"] for one in vllm["results"])


async def test_without_a_model_the_documents_stand_as_they_came_and_it_is_said(
    whole: Path, tmp_path: Path
) -> None:
    async with doors(whole, tmp_path) as door:
        found = await _rerank(door)
        assert [one["index"] for one in found["results"]] == [0, 1, 2]
        assert found["meta"] == {"rerank_status": "skipped", "cause": "no_model"}


@pytest.mark.parametrize(
    "wrong",
    [{"documents": []}, {"documents": [3]}, {"query": ""}, {"top_n": 0}, {"documents": [{"title": "x"}]}],
    ids=str,
)
async def test_a_wrong_body_is_refused(whole: Path, tmp_path: Path, wrong: dict[str, Any]) -> None:
    async with doors(whole, tmp_path) as door:
        answer = await door.post("/rerank", json={"query": "a", "documents": ["b"], **wrong})
        assert answer.status_code == 422
