"""whyrec inside a small LangChain application: in process and over a running service; nothing is traced."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableLambda, RunnablePassthrough
from langchain_openai import ChatOpenAI
from langsmith import utils

from api.service import Service as Opened
from recall.errors import DataError, ModelError, NotFound
from rerank.integrations.found import Source
from rerank.integrations.langchain import InProcess, Service, WhyrecReranker, WhyrecRetriever
from rerank.integrations.langchain_model import LangChainModel
from rerank.llm.scripted import Asked, ScriptedModel
from rerank.types import Cause, Deadline, Sampling
from tests.doors import alone
from tests.engine_contract import ASK
from tests.fault_server import fault_server
from tests.openai_server import openai_server
from tests.test_api_serve import serving

PERSON = "cinema:u1"


def reversing() -> ScriptedModel:
    """Puts what it is shown in the other order."""

    def answer(asked: Asked) -> str:
        fields = asked.schema["properties"] if asked.schema else {}
        return json.dumps({"order": fields["order"]["items"]["enum"][::-1]}) if "order" in fields else "{}"

    return ScriptedModel(answer, weight=1.0)


@pytest.fixture(scope="module")
def url(whole: Path) -> Iterator[str]:
    """A running service, whose model puts what it is shown in the other order."""
    with (
        openai_server() as model,
        serving(whole, OPENAI_BASE_URL=model.url, WHYREC_RANK__WEIGHT="1") as (client, _),
    ):
        yield str(client.base_url)


@pytest.fixture(params=["in process", "service"])
async def source(request: pytest.FixtureRequest, whole: Path, tmp_path: Path) -> AsyncIterator[Source]:
    if request.param == "service":
        yield Service(request.getfixturevalue("url"))
        return
    async with Opened.open(alone(whole, tmp_path)) as opened:
        yield InProcess(opened.pipeline.variant(model=reversing()))


async def test_a_retriever_gives_recalls_candidates_as_documents(source: Source) -> None:
    documents = await WhyrecRetriever(source=source, person=PERSON, platform="shop", k=4).ainvoke("")
    assert [each.metadata["rank"] for each in documents] == [1, 2, 3, 4]
    for each in documents:
        assert each.page_content.startswith("Film ") and each.metadata["sources"]
        assert any(listing["platform"] == "shop" for listing in each.metadata["listings"])


async def test_a_reranker_puts_documents_into_the_models_order(source: Source) -> None:
    documents = await WhyrecRetriever(source=source, person=PERSON, k=6).ainvoke("")
    reranked = await WhyrecReranker(source=source, person=PERSON, k=4).acompress_documents(documents, "short")
    assert [each.id for each in reranked] == [each.id for each in documents[::-1]][:4]
    assert [each.metadata["rank"] for each in reranked] == [1, 2, 3, 4]


def chain(source: Source, url: str) -> Runnable[str, str]:
    """A LangChain application: retrieve, rerank, let a chat model talk about it."""
    retriever = WhyrecRetriever(source=source, person=PERSON, k=6)
    reranker = WhyrecReranker(source=source, person=PERSON, k=3, explain=True)

    async def rerank(given: dict[str, object]) -> str:
        documents, wish = given["documents"], str(given["wish"])
        kept = await reranker.acompress_documents(documents, wish)  # type: ignore[arg-type]
        return "\n".join(f"{each.page_content}: {each.metadata['reason']['text']}" for each in kept)

    prompt = ChatPromptTemplate.from_messages([("human", "Talk about these films:\n{films}")])
    chat = ChatOpenAI(model="local-words", base_url=url, api_key="none")
    found = {"documents": retriever, "wish": RunnablePassthrough()}
    return {"films": found | RunnableLambda(rerank)} | prompt | chat | StrOutputParser()  # type: ignore[return-value]


async def test_an_application_of_langchain_runs_over_both(source: Source) -> None:
    async with fault_server() as server:
        assert await chain(source, server.url).ainvoke("something short") == "plain words"
        said = server.asked[-1]["messages"][0]["content"]
    assert said.count("\nFilm ") == 3 and "Because" in said


def test_without_a_loop_the_same_comes(whole: Path, tmp_path: Path) -> None:
    import asyncio

    async def opened() -> tuple[list[Document], list[Document]]:
        async with Opened.open(alone(whole, tmp_path)) as service:
            retriever = WhyrecRetriever(source=InProcess(service.pipeline), person=PERSON, k=3)
            return await retriever.ainvoke(""), await asyncio.to_thread(retriever.invoke, "")

    waited, plain = asyncio.run(opened())
    assert [each.id for each in waited] == [each.id for each in plain]


async def test_a_document_without_an_item_is_named(source: Source) -> None:
    reranker = WhyrecReranker(source=source, person=PERSON)
    with pytest.raises(DataError, match="'A stray page' has no metadata 'item'"):
        await reranker.acompress_documents([Document("A stray page")], "")
    assert await reranker.acompress_documents([], "") == []


async def test_a_person_that_nobody_knows_is_not_found(source: Source) -> None:
    with pytest.raises(NotFound):
        await WhyrecRetriever(source=source, person="cinema:nobody").ainvoke("")


async def test_a_service_that_is_down_is_named() -> None:
    with pytest.raises(ModelError, match="whyrec serve") as failure:
        await WhyrecRetriever(source=Service("http://127.0.0.1:9"), person=PERSON).ainvoke("")
    assert failure.value.cause == Cause.CONNECTION


@pytest.fixture(scope="module")
def tracing_service() -> Iterator[list[bytes]]:
    """What LangSmith's client, turned on by the environment, sends to a server here; one client serves the
    whole process."""
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._ok(b"{}")

        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            self._ok(b"{}")

        def _ok(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANGSMITH_TRACING", "true")
        patch.setenv("LANGSMITH_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        patch.setenv("LANGSMITH_API_KEY", "none")
        utils.get_env_var.cache_clear()
        yield got
    utils.get_env_var.cache_clear()
    server.shutdown()


def flushed() -> None:
    from langchain_core.tracers.langchain import get_client, wait_for_all_tracers

    wait_for_all_tracers()
    get_client().flush()


async def test_tracing_sees_nothing_of_an_engine_unless_our_own_setting_says_so(
    tracing_service: list[bytes],
) -> None:
    async with fault_server() as server:
        chat = ChatOpenAI(model="local-words", base_url=server.url, api_key="none")
        for tracing in (False, True):
            model = LangChainModel(chat, tracing=tracing)
            await model.chat(ASK, sampling=Sampling(8), deadline=Deadline.after(10))
            flushed()
            assert any(b"You order things" in body for body in tracing_service) is tracing


async def test_tracing_sees_no_run_of_a_retriever_unless_our_own_setting_says_so(
    tracing_service: list[bytes], whole: Path, tmp_path: Path
) -> None:
    """Within a chain that is traced itself: what the chain hands on is the application's own."""
    async with Opened.open(alone(whole, tmp_path)) as opened:
        for tracing in (False, True):
            source = InProcess(opened.pipeline)
            retriever = WhyrecRetriever(source=source, person=PERSON, k=2, tracing=tracing)
            assert len(await (RunnableLambda(str) | retriever).ainvoke("a wish")) == 2
            flushed()
            assert any(b"RunnableSequence" in body for body in tracing_service)
            assert any(b'"name":"WhyrecRetriever"' in body for body in tracing_service) is tracing
