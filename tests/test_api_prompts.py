"""`whyrec prompts`: listed, shown, and rendered for a person as a model would get them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prompts import names
from tests.openai_server import openai_server
from tests.whole import whyrec


def test_every_prompt_is_listed_with_its_hash() -> None:
    rows = json.loads(whyrec("prompts", "list", "--json").stdout)
    assert [row["prompt"] for row in rows] == names()
    assert all(len(row["hash"]) == 16 and row["description"] for row in rows)


def test_a_prompt_is_shown_as_its_file_has_it() -> None:
    done = whyrec("prompts", "show", "listwise", "--language", "zh")
    assert "language: zh" in done.stdout and "{{ candidates }}" in done.stdout


@pytest.mark.parametrize(
    "name",
    [
        "listwise",
        "listwise-recent",
        "listwise-profile",
        "logits",
        "pointwise.v1.zh",
        "profile",
        "reasons-list",
    ],
)
def test_a_prompt_is_rendered_for_a_person_without_asking_a_model(whole: Path, name: str) -> None:
    done = whyrec(
        "prompts", "render", name, "--person", "cinema:u1", "--platform", "cinema", "--wish", "short",
        "--json", "-c", whole, WHYREC_LLM__ENGINE="none",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    [first, *_] = json.loads(done.stdout)
    text = first["messages"][-1]["content"]
    assert ("Film " in text or name == "listwise-profile") and "short" in text
    assert first["tokens"] > 20 and first["exact"] is False
    assert "u1" not in text
    asks = {
        "listwise-profile": "what the model writes",
        "profile": "Write the profile",
        "pointwise.v1.zh": "是",
    }
    assert asks.get(name, "") in text


def test_the_domain_of_the_asking_platform_names_what_is_ranked(whole: Path) -> None:
    done = whyrec(
        "prompts", "render", "listwise", "--person", "cinema:u1", "-c", whole, WHYREC_LLM__ENGINE="none"
    )
    assert "You rank films for one person" in done.stdout
    assert "tokens, estimated" in done.stdout


def test_what_is_rendered_is_what_a_request_sends(whole: Path) -> None:
    """Over real HTTP: the messages of `render`, then those that the server got for the same person."""
    with openai_server() as server:
        environment = {"OPENAI_BASE_URL": server.url}
        ask = ("cinema:u2", "--platform", "cinema", "-c", whole)
        done = whyrec("prompts", "render", "listwise", "--person", *ask, "--json", **environment)
        [rendered] = json.loads(done.stdout)
        server.requests()
        assert whyrec("recommend", *ask, "--mode", "rank", **environment).exit_code == 0
        sent = [one["body"]["messages"] for one in server.requests() if '"order"' in json.dumps(one["body"])]
    assert rendered["messages"] == [{key: m[key] for key in ("role", "content")} for m in sent[-1]]
