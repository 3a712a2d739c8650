"""The whole way from files to a table, through the commands: with a real model server, a dead one, none."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from api.answers import answer_of
from api.schemas import RecommendationAnswer
from tests.openai_server import MODEL, openai_server
from tests.whole import whyrec, write_platforms

NO_MODEL = {"WHYREC_LLM__ENGINE": "none", "OPENAI_BASE_URL": "", "OPENAI_API_KEY": ""}


def _answer(config: Path, *options: str, **environment: str) -> RecommendationAnswer:
    done = whyrec(
        "recommend", "cinema:u7", "--json", "--config", config, *options, **{**NO_MODEL, **environment}
    )
    assert done.exit_code == 0, done.stderr
    return RecommendationAnswer.model_validate_json(done.stdout)


def _endpoint(url: str) -> dict[str, str]:
    return {"WHYREC_LLM__ENGINE": "auto", "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "sk-test"}


def _ids(answer: RecommendationAnswer) -> list[str]:
    return [item.item for item in answer.items]


def test_without_a_model_the_order_is_recall_s_and_the_answer_says_so(whole: Path) -> None:
    answer = _answer(whole, "-k", "5")
    assert (answer.provenance.rerank_status, answer.provenance.cause) == ("skipped", "no_model")
    assert [item.recall_rank for item in answer.items] == [1, 2, 3, 4, 5]
    assert all(item.reason and item.reason.author == "template" for item in answer.items)


def test_a_configured_endpoint_reranks_and_its_reasons_are_shown(whole: Path) -> None:
    plain = _answer(whole, "-k", "5")
    with openai_server() as server:
        answer = _answer(whole, "-k", "5", WHYREC_RANK__WEIGHT="1", **_endpoint(server.url))
        seen = [each for each in server.requests() if each["path"] == "/v1/chat/completions"]
    assert (answer.provenance.rerank_status, answer.provenance.model) == ("full", MODEL)
    assert answer.provenance.usage.prompt > 0
    assert _ids(answer) != _ids(plain)
    assert [item.model_rank for item in answer.items] == [1, 2, 3, 4, 5]
    assert {each["auth"] for each in seen} == {"Bearer sk-test"}


def test_no_user_id_reaches_the_model(whole: Path) -> None:
    with openai_server() as server:
        answer = _answer(whole, **_endpoint(server.url))
        sent = json.dumps([each["body"] for each in server.requests()])
    assert answer.person is not None and answer.person not in sent
    assert '"u7"' not in sent and "k7" not in sent


def test_a_server_killed_in_the_middle_of_a_call_costs_the_model_s_part_only(whole: Path) -> None:
    plain = _answer(whole, "-k", "5")
    with openai_server(delay=30) as server:

        def kill_in_mid_call() -> None:
            while server.next_request()["path"] != "/v1/chat/completions":
                pass
            server.kill()

        killer = threading.Thread(target=kill_in_mid_call)
        killer.start()
        began = time.monotonic()
        answer = _answer(whole, "-k", "5", "--deadline", "4", **_endpoint(server.url))
        spent = time.monotonic() - began
        killer.join()
    assert answer.provenance.milliseconds["total"] < 4250
    assert spent < 10
    assert (answer.provenance.rerank_status, answer.provenance.cause) in (
        ("skipped", "connection"),
        ("skipped", "deadline"),
    )
    assert _ids(answer) == _ids(plain)
    assert all(item.reason and item.reason.author == "template" for item in answer.items)


def test_a_server_that_hangs_costs_no_more_than_the_deadline(whole: Path) -> None:
    with openai_server(delay=60) as server:
        answer = _answer(whole, "--deadline", "1.5", **_endpoint(server.url))
    assert answer.provenance.milliseconds["total"] < 1750
    assert (answer.provenance.rerank_status, answer.provenance.cause) == ("skipped", "deadline")


def test_only_items_of_the_asking_platform_are_recommended(whole: Path) -> None:
    answer = _answer(whole, "--platform", "shop")
    assert answer.items
    assert all("shop" in {each.platform for each in item.listings} for item in answer.items)


def test_the_table_is_for_people(whole: Path) -> None:
    done = whyrec("recommend", "cinema:u7", "-k", "3", "--config", whole, **NO_MODEL)
    assert done.exit_code == 0
    assert "Film " in done.stdout and "order skipped (no_model)" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cinema:nobody"], "no user 'nobody' on 'cinema'"),
        (["p0000"], "no person 'p0000'"),
        (["cinema:u7", "--platform", "opera"], "no platform 'opera'; have cinema, shop"),
    ],
)
def test_who_or_what_is_unknown_is_named(whole: Path, arguments: list[str], message: str) -> None:
    done = whyrec("recommend", *arguments, "--config", whole, **NO_MODEL)
    assert done.exit_code == 1 and message in done.stderr and done.stdout == ""


def test_before_ingest_the_remedy_is_named(tmp_path: Path) -> None:
    done = whyrec("recommend", "cinema:u7", "--config", write_platforms(tmp_path), **NO_MODEL)
    assert done.exit_code == 1 and "whyrec ingest" in done.stderr


def test_json_and_http_say_the_same(whole: Path) -> None:
    assert answer_of.__annotations__["return"] == "RecommendationAnswer"
    fields: dict[str, Any] = _answer(whole, "-k", "1").model_dump()
    assert set(fields) == set(RecommendationAnswer.model_fields)
