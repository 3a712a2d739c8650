"""Consent groups of all persons at once say what asking person by person says."""

from __future__ import annotations

from collections import defaultdict

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from recall.consent import Consent, ConsentConfig, Statement
from recall.consent_groups import training_groups

PLATFORMS = ("cinema", "games", "shop", "stream")
names = st.sampled_from(PLATFORMS)


def links(accounts: dict[str, set[str]]) -> pa.Table:
    rows = [(person, platform) for person, mine in sorted(accounts.items()) for platform in sorted(mine)]
    return pa.table(
        {
            "kind": ["person"] * len(rows) + ["item"],
            "target": [person for person, _ in rows] + ["i1"],
            "platform": [platform for _, platform in rows] + ["shop"],
        }
    )


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["p1", "p2", "p3", "p4"]), st.sets(names, min_size=1)),
    st.dictionaries(names, st.lists(names, max_size=3)),
    st.lists(
        st.tuples(st.sampled_from(["p1", "p2"]), st.sampled_from((*PLATFORMS, "*")), names, st.booleans()),
        max_size=4,
    ),
)
def test_all_at_once_is_one_by_one(
    accounts: dict[str, set[str]],
    serves: dict[str, list[str]],
    stated: list[tuple[str, str, str, bool]],
) -> None:
    config = ConsentConfig(serves={name: tuple(targets) for name, targets in serves.items()})
    said = [Statement("shop", person, source, target, yes) for person, source, target, yes in stated]
    consent = Consent(config, PLATFORMS, said, lambda platform, user: user)
    expected: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for person, mine in accounts.items():
        groups = consent.groups(person, sorted(mine))
        if groups != [frozenset(mine)]:
            expected[person] = {(name, at) for at, group in enumerate(groups) for name in group}
    found: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for row in training_groups(links(accounts), consent).to_pylist():
        found[row["person"]].add((row["platform"], row["group"]))
    assert found == expected


def test_no_person_gives_no_row() -> None:
    consent = Consent(ConsentConfig(), PLATFORMS, (), lambda platform, user: user)
    assert len(training_groups(links({}), consent)) == 0
