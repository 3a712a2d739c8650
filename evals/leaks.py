"""The leak guard: what is held out must not be learnt from, shown as history, or told in a prompt.

An id or an event from after the cut stops the run. Where only the target's title occurs (a remake, a title
that is an everyday word, an unlinked twin), nobody cheated, but the case proves nothing: it is set aside.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow.compute as pc

from evals.cases import Case
from evals.world import World
from recall.build_table import read_table
from recall.dataset import Dataset
from recall.errors import WhyrecError
from recall.types import Item
from rerank.summary import day
from rerank.types import Message
from rerank.untrusted import clean

TITLE_CHARS = 120
_DATED = re.compile(r"^h\d+: (\d{4}-\d{2}-\d{2})", re.MULTILINE)
"""The date of a history line, as rerank/summary.py writes it."""


class LeakError(WhyrecError):
    """What is held out reached what may not know it: the run's figures would be worthless."""


def check_world(world: World, cases: Sequence[Case]) -> None:
    """Training, links and histories against what is held out; LeakError names the first thing found."""
    folder = world.workspace.builds.folder / world.artefact.manifest.build
    cut = Dataset.load(folder)
    if world.moment is not None:
        if (cut.event_time >= world.moment).any():
            raise LeakError(f"training: {folder.name} holds an event from after the cut at {world.moment}")
        links = read_table(folder, "links", ["platform", "key", "since"])
        late = links.filter(pc.greater_equal(links["since"], world.moment))
        if len(late):
            one = late.slice(0, 1).to_pylist()[0]
            raise LeakError(
                f"links: {one['platform']} {one['key']!r} is linked, though it was first seen after the cut"
            )
    persons = cut.persons.rows([case.person for case in cases])
    targets = cut.items.rows([case.target for case in cases])
    wide = np.int64(max(len(cut.items), 1))
    asked = persons * wide + targets
    known = persons >= 0
    trained = (
        np.repeat(cut.row_person.astype(np.int64), np.diff(cut.matrix.indptr)) * wide + cut.matrix.indices
    )
    seen = cut.event_person * wide + cut.event_item
    for what, pairs in (("interactions", trained), ("events", seen)):
        leaked = np.flatnonzero(known & (targets >= 0) & np.isin(asked, pairs))
        if len(leaked):
            case = cases[int(leaked[0])]
            raise LeakError(f"training: the {what} hold {case.person}'s held-out item {case.target}")
    for case in cases:
        check_history(case)


def check_history(case: Case) -> None:
    """LeakError when the history knows the held-out item or reaches beyond the case's moment."""
    for event in case.history:
        if event.item == case.target:
            raise LeakError(f"history: {case.person}'s holds the held-out item {case.target}")
        if event.time > case.as_of:
            raise LeakError(f"history: {case.person}'s holds an event of {event.time}, after {case.as_of}")


def title_shows(case: Case, items: Mapping[str, Item]) -> bool:
    """Whether the target's title is also the title of a history's item, or occurs in the wish."""
    wanted = _plain(items[case.target].title)
    told = {_plain(items[event.item].title) for event in case.history}
    return bool(wanted) and (wanted in told or occurs(wanted, _plain(case.wish or "")))


def check_prompt(case: Case, items: Mapping[str, Item], messages: Iterable[Message]) -> str | None:
    """A prompt as it is sent. LeakError for the target's id or a later event; 'title' for its title alone.

    Lines that begin with the title, with or without a candidate's label, are where the target may be;
    elsewhere titles stand in quotes.
    """
    text = "\n".join(message.content for message in messages)
    if case.target in text:
        raise LeakError(f"prompt: the id {case.target} of {case.person}'s held-out item is in it")
    for date in _DATED.findall(text):
        if date > day(case.as_of):
            raise LeakError(f"prompt: {case.person}'s history shows {date}, after {day(case.as_of)}")
    title = clean(items[case.target].title, TITLE_CHARS)
    if not title:
        return None
    listed = re.compile(rf'^(?:[A-Z]{{1,3}}\d*: )?"{re.escape(title)}"', re.MULTILINE)
    rest = "\n".join(line for line in text.split("\n") if not listed.match(line))
    quoted = re.findall(r'"([^"\n]*)"', rest)
    return "title" if _plain(title) in {_plain(one) for one in quoted} else None


def occurs(title: str, text: str) -> bool:
    """Whether the words of a title stand together in a text (both as `_plain` has them)."""
    return bool(title) and f" {title} " in f" {text} "


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[\W_]+", " ", text.casefold()).split())
