"""Arms that differ in [knowledge]: facts from the store, profiles from the case's own history."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from evaluated import answering, declared, go, oracle, settings

from recall.errors import ConfigError
from rerank.knowledge import people
from rerank.knowledge.reader import HeldKnowledge
from rerank.knowledge.types import Fact
from rerank.llm.scripted import Asked, ScriptedModel


def _reading() -> ScriptedModel:
    order = answering(lambda lines, target: list(lines))

    def answer(asked: Asked) -> str:
        if "order" in (asked.schema or {})["properties"]:
            return order(asked)
        line = re.search(r"^(h\d+): .* on (\w+) liked[^:]*: \"(.*?)\"", asked.messages[-1].content, re.M)
        if line is None:
            return '{"statements": []}'
        said = {"kind": "current", "text": f"You liked “{line[3]}”.", "cites": [line[1]], "sure": "yes"}
        return json.dumps({"statements": [said]})

    return ScriptedModel(answer)


async def test_arms_show_facts_and_profiles_as_they_declare(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "FEWEST_EVENTS", 1)  # this world's histories are short
    mine = settings(whole, tmp_path)
    arms = [
        {"name": "plain"},
        {"name": "facts", "knowledge": {"facts_in_prompts": 2}},
        {"name": "told", "grid": {"knowledge.profile": ["beside", "instead"]}},
    ]
    _, pool, _ = await go(mine, declared(name="first", arms=[]), oracle())
    known = HeldKnowledge({id: [Fact(id, "mood", "quiet", 0.9, "title", "m", "p", 0)] for id in pool.items})
    model = _reading()
    _, _, rows = await go(mine, declared(arms=arms), model, knowledge=known)
    by = {name: [row for row in rows if row["arm"] == name] for name in ("plain", "facts")}
    assert by["plain"] and all(row["knowledge"] == {} for row in by["plain"])
    assert all(row["knowledge"]["facts"] > 0 and len(row["calls"]) == 1 for row in by["facts"])
    for how in ("beside", "instead"):
        mine_rows = [row for row in rows if row["arm"] == f"told+profile-{how}"]
        told = [row for row in mine_rows if row["knowledge"].get("statements")]
        assert mine_rows and told and all(len(row["calls"]) == 2 for row in told)
    ranked = [one.messages[-1].content for one in model.asked if "order" in (one.schema or {})["properties"]]
    shown = [text for text in ranked if "p1: " in text]
    assert any("h1: " in text for text in shown) and any("h1: " not in text for text in shown)
    again = _reading()
    ended, _, after = await go(mine, declared(arms=arms), again, knowledge=known)
    assert ended.asked == 0 and again.asked == [] and len(after) == len(rows)


async def test_a_wrong_key_of_knowledge_is_refused_with_the_arms_name(whole: Path, tmp_path: Path) -> None:
    arm = {"name": "odd", "knowledge": {"facts_in_prompt": 2}}
    with pytest.raises(ConfigError, match="'odd': knowledge: facts_in_prompt"):
        await go(settings(whole, tmp_path), declared(arms=[arm]), oracle())
