"""What somebody had on one platform, and what may be known of it on another: library and candidates."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from test_recall_recallers import SMALL
from worlds import item, person, write_build

from recall.artefact import Artefact
from recall.candidates import Candidates
from recall.consent import Consent, ConsentConfig, Statement
from recall.library import BuildLibrary
from recall.trainer import fit_artefact
from recall.types import Because, Query
from recall.workspace import Workspace

PLATFORMS = ("cinema", "shop", "stream")
TITLES = [f"t{n}" for n in range(12)]
TWO = ["two cinema t0 1", "two cinema t1 2", "two stream t2 3"]
THREE = ["three cinema t0 1", "three shop t1 2", "three shop t3 3 dislike", "three stream t2 4"]
CROWD = [
    f"u{u} {PLATFORMS[(u + step) % 3]} t{(u + step) % 12} {100 + step}"
    for u in range(24)
    for step in range(6)
]


class World:
    """All titles are listed everywhere; consents hold in the training and in the answers."""

    def __init__(self, folder: Path, *statements: tuple[str, str, str, bool]) -> None:
        stated = [Statement("cinema", who, source, target, yes) for who, source, target, yes in statements]
        consent = Consent(ConsentConfig(), PLATFORMS, stated, lambda _, user: person(user))
        mine = {"two": ("cinema", "stream"), "three": PLATFORMS}
        build = write_build(
            folder,
            events=[*CROWD, *TWO, *THREE],
            items=[f"{title} cinema,shop,stream" for title in TITLES],
            groups={who: consent.groups(person(who), names) for who, names in mine.items()},
        )
        workspace = Workspace(folder)
        name = fit_artefact(workspace, build, SMALL, lambda *_: None)
        self.recall = Candidates(Artefact.open(workspace.models.use(name)))
        self.library = BuildLibrary(build, consents=consent)

    def asked(self, who: str, platform: str) -> Query:
        history = self.library.history(person(who), platform=platform)
        had = self.library.had(person(who), platform=platform)
        return Query(history, platform, as_of=1000, n=99, had=had)

    def proposed(self, who: str, platform: str) -> set[str]:
        return {one.item for one in self.recall.candidates(self.asked(who, platform)).candidates}

    def because(self, who: str, platform: str) -> list[Because]:
        return self.recall.explain(self.asked(who, platform), [item(title) for title in TITLES])

    def platforms_behind(self, who: str, platform: str) -> set[str]:
        """Of the events that any reason would rest on."""
        events = {event.id: event.platform for event in self.library.history(person(who)).events}
        return {events[id] for because in self.because(who, platform) for id, _ in because.events}


def all_but(titles: Iterable[str]) -> set[str]:
    return {item(title) for title in TITLES} - {item(title) for title in titles}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_was_had_anywhere_is_proposed_nowhere(tmp_path: Path, platform: str) -> None:
    world = World(tmp_path)
    assert world.proposed("two", platform) == all_but(["t0", "t1", "t2"])
    assert world.proposed("three", platform) == all_but(["t0", "t1", "t2", "t3"])
    assert world.platforms_behind("two", platform) == {"cinema", "stream"}
    assert world.platforms_behind("three", platform) == set(PLATFORMS)


def test_on_two_platforms_consent_masks_and_explains_in_its_direction_only(tmp_path: Path) -> None:
    world = World(tmp_path, ("two", "cinema", "stream", False))
    assert world.proposed("two", "stream") == all_but(["t2"]), "the cinema may not tell the stream"
    assert world.platforms_behind("two", "stream") == {"stream"}
    assert world.proposed("two", "cinema") == all_but(["t0", "t1", "t2"]), "the stream may tell the cinema"
    assert world.platforms_behind("two", "cinema") == {"cinema", "stream"}
    assert world.proposed("three", "stream") == all_but(["t0", "t1", "t2", "t3"]), "nobody else is concerned"


def test_on_three_platforms_each_pair_and_direction_counts_for_itself(tmp_path: Path) -> None:
    world = World(tmp_path, ("three", "cinema", "stream", False), ("three", "stream", "shop", False))
    assert world.proposed("three", "stream") == all_but(["t1", "t2", "t3"])
    assert world.proposed("three", "shop") == all_but(["t0", "t1", "t3"])
    assert world.proposed("three", "cinema") == all_but(["t0", "t1", "t2", "t3"])
    assert world.platforms_behind("three", "stream") == {"shop", "stream"}
    assert world.platforms_behind("three", "shop") == {"cinema", "shop"}


def test_a_dislike_elsewhere_masks_and_is_never_a_reason(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert item("t3") not in world.proposed("three", "cinema")
    events = {event.id for event in world.library.history(person("three")).events if event.polarity < 0}
    told = {id for because in world.because("three", "cinema") for id, _ in because.events}
    assert events and told and not events & told


def test_forbidden_pairs_of_platforms_are_not_trained_together(tmp_path: Path) -> None:
    """Who alone joins two titles, on platforms that may not serve each other, makes no neighbours."""
    joined = ["one cinema left 1", "one stream right 2"]
    for number, groups in enumerate(([PLATFORMS], [["cinema"], ["stream"]])):
        folder = tmp_path / str(number)
        build = write_build(folder, events=[*CROWD, *joined], groups={"one": groups})
        workspace = Workspace(folder)
        name = fit_artefact(workspace, build, SMALL, lambda *_: None)
        recall = Candidates(Artefact.open(workspace.models.use(name)))
        near = [found for found, _ in recall.similar(item("left"))]
        assert (item("right") in near) is (number == 0)
