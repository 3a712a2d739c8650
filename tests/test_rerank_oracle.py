"""An engine that knows what each person chose next, in every method's wire form, through the pipeline."""

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
from recall.types import Candidate
from recall.workspace import Workspace
from rerank.config import RankConfig, ReasonsConfig
from rerank.llm.scripted import Asked, ScriptedModel
from rerank.pipeline import Pipeline
from rerank.types import Deadline, Request, Status
from tests.worlds import item, person, write_build

PEOPLE, FILMS = 20, 300


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    """Each person saw one film that nobody else saw; 300 others are to choose from."""
    folder = tmp_path_factory.mktemp("oracle")
    events = [f"p{who} cinema seen{who:02} {who + 1}" for who in range(PEOPLE)]
    events += [f"crowd{film} cinema film{film:03} {film}" for film in range(FILMS)]
    write_build(folder, events=events)
    workspace = Workspace(folder)
    train(workspace, TrainConfig(factors=2, iterations=1, threads=1))
    library = BuildLibrary(workspace.builds.current())
    return Stock(library, Candidates(Artefact.open(workspace.models.current())))


def _slot(who: int, n: int) -> int:
    """Where recall has what the person chose: from the first place to the last."""
    return round(who * (n - 1) / (PEOPLE - 1))


def _oracle(n: int) -> ScriptedModel:
    """It knows the persons by the one film that each of them saw."""
    truth = {f"Seen{who:02}": f"Film{_slot(who, n):03}" for who in range(PEOPLE)}

    def knows(asked: Asked) -> tuple[str | None, dict[str, str]]:
        text = asked.messages[-1].content
        seen = re.search(r'"(Seen\d+)"', text)
        lines = re.findall(r'^(?:([A-Z]{1,2}): )?"(Film\d+)"', text, re.MULTILINE)
        return truth[seen[1]] if seen else None, {title: label for label, title in lines}

    def order(asked: Asked) -> str:
        wanted, lines = knows(asked)
        return json.dumps(
            {"order": sorted(lines.values(), key=lambda label: lines.get(wanted or "") != label)}
        )

    def scores(asked: Asked) -> dict[str, float]:
        wanted, lines = knows(asked)
        if asked.labels == ("Yes", "No"):
            return {"Yes": -0.1 if wanted in lines else -2.0, "No": -1.0}
        return {label: -0.1 if title == wanted else -3.0 for title, label in lines.items()}

    return ScriptedModel(order, scores)


@pytest.mark.parametrize("n", [20, 100, 300])
@pytest.mark.parametrize("method", ["listwise", "logits", "pointwise"])
async def test_everybodys_choice_comes_to_rank_one(stock: Stock, method: str, n: int) -> None:
    rank = RankConfig(method=method, depth=n, weight=1.0, cap=None)
    model = _oracle(n)
    pipeline = Pipeline(lambda: stock, model, rank, ReasonsConfig())
    candidates = tuple(Candidate(item(f"film{film:03}"), film, 1 - film / n) for film in range(n))
    for who in range(PEOPLE):
        answer = await pipeline.recommend(
            Request(
                person(f"p{who}"),
                k=n,
                n=n,
                depth=n,
                mode="rank",
                candidates=candidates,
                deadline=Deadline.after(30),
            )
        )
        assert answer.items[0].item.title == f"Film{_slot(who, n):03}"
        assert answer.provenance.rerank_status == Status.FULL
        assert {one.item.id for one in answer.items} == {one.item for one in candidates}
    assert model.asked
