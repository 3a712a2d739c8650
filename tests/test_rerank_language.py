"""All of an answer follows the request's language; prompts speak of what the asking platform offers."""

from __future__ import annotations

import json
import re

import pytest

from recall.artefact import Artefact
from recall.candidates import Candidates
from recall.library import BuildLibrary
from recall.protocols import Stock
from recall.train import train
from recall.train_config import TrainConfig
from recall.workspace import Workspace
from rerank.config import RankConfig, ReasonsConfig
from rerank.llm.scripted import Asked, ScriptedModel
from rerank.pipeline import Pipeline
from rerank.types import Request
from tests.worlds import person, write_build

DOMAINS = {"cinema": "films", "shop": "shop"}
LATIN = re.compile(r"[A-Za-z]{3,}")


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    folder = tmp_path_factory.mktemp("language")
    write_build(
        folder,
        events=[
            f"p{who} cinema t{(who * 3 + step) % 12} {100 * step + who}"
            for who in range(8)
            for step in range(4)
        ],
        items=[f"t{n} cinema,shop 1999" for n in range(12)],
    )
    workspace = Workspace(folder)
    train(workspace, TrainConfig(factors=2, iterations=1, threads=1))
    library = BuildLibrary(workspace.builds.current())
    return Stock(library, Candidates(Artefact.open(workspace.models.current())))


def _model() -> ScriptedModel:
    def answer(asked: Asked) -> str:
        form = asked.schema["properties"] if asked.schema else {}
        return json.dumps({"order": form["order"]["items"]["enum"]} if "order" in form else {"reasons": []})

    return ScriptedModel(answer, lambda asked: dict.fromkeys(asked.labels or (), -1.0))


def _pipeline(stock: Stock, model: ScriptedModel, **rank: object) -> Pipeline:
    return Pipeline(lambda: stock, model, RankConfig(**rank), ReasonsConfig(), domains=DOMAINS)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["listwise", "logits", "pointwise"])
async def test_a_chinese_request_is_asked_and_answered_in_chinese_throughout(
    stock: Stock, method: str
) -> None:
    model = _model()
    request = Request(person("p1"), platform="cinema", k=4, language="zh", wish="短一点")
    answer = await _pipeline(stock, model, method=method).recommend(request)
    for asked in model.asked:
        for message in asked.messages:
            text = re.sub(r'"[^"]*"|\{.*\}', "", message.content)  # titles and the JSON form stay as they are
            words = set(LATIN.findall(text)) - {"cinema", "JSON", "cites", "Mystery"}
            assert not words, words
    assert (answer.provenance.prompt or "").endswith(".zh")
    assert all(
        one.reason and not LATIN.search(re.sub("《.*?》|cinema", "", one.reason.text)) for one in answer.items
    )


async def test_an_english_request_holds_no_chinese(stock: Stock) -> None:
    model = _model()
    answer = await _pipeline(stock, model).recommend(Request(person("p1"), k=4))
    said = [message.content for asked in model.asked for message in asked.messages]
    said += [one.reason.text for one in answer.items if one.reason]
    assert not re.search("[\u3000-\u9fff]", "".join(said))


@pytest.mark.parametrize(
    ("platform", "configured", "word"),
    [
        ("cinema", None, "films"),
        ("shop", None, "products"),
        ("shop", "courses", "courses"),
        (None, None, "items"),
    ],
)
async def test_a_prompt_speaks_of_what_the_asking_platform_offers(
    stock: Stock, platform: str | None, configured: str | None, word: str
) -> None:
    model = _model()
    await _pipeline(stock, model, domain=configured).recommend(Request(person("p1"), platform=platform, k=2))
    rank, reasons = model.asked
    assert f"You rank {word} for one person" in rank.messages[0].content
    assert f"why {word} were recommended" in reasons.messages[0].content


async def test_platforms_that_all_offer_the_same_need_not_be_named(stock: Stock) -> None:
    model = _model()
    pipeline = Pipeline(
        lambda: stock, model, RankConfig(), ReasonsConfig(), domains={"cinema": "films", "shop": "films"}
    )
    await pipeline.recommend(Request(person("p1"), k=2, mode="rank"))
    assert "You rank films" in model.asked[0].messages[0].content
