"""Which of a person's platforms are trained together, for all persons of a build at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SCHEMA = pa.schema([("person", pa.string()), ("platform", pa.string()), ("group", pa.int32())])


class Consent(Protocol):
    """Which of a person's platforms are trained together."""

    def stated(self) -> frozenset[str]:
        """Persons whose groups do not follow from their platforms alone."""

    def groups(self, person: str, platforms: Sequence[str]) -> list[frozenset[str]]:
        """Maximal sets of `platforms` that consent to each other; the first is group 0."""


def training_groups(links: pa.Table, consent: Consent) -> pa.Table:
    """SCHEMA: rows of the persons whose platforms are not all of one group; everyone else is group 0.

    `links` are recall.tables.LINKS rows. Consent is asked once for each set of platforms that persons have,
    and once for each person who stated anything.
    """
    people = links.filter(pc.equal(links["kind"].cast(pa.string()), "person"))
    owned = people.select(["target", "platform"]).group_by(["target", "platform"]).aggregate([])
    person = owned["target"].combine_chunks().cast(pa.string()).dictionary_encode()
    platform = owned["platform"].combine_chunks().cast(pa.string()).dictionary_encode()
    names: list[str] = platform.dictionary.to_pylist()
    if not names:
        return SCHEMA.empty_table()
    has = np.zeros((len(person.dictionary), len(names)), bool)
    has[person.indices.to_numpy(), platform.indices.to_numpy()] = True
    stated = pa.array(sorted(consent.stated()), pa.string())
    alone = pc.is_in(person.dictionary, value_set=stated).to_numpy(zero_copy_only=False)
    parts = [SCHEMA.empty_table()]
    sets, which = np.unique(has[~alone], axis=0, return_inverse=True)
    for number, row in enumerate(sets):
        mine = np.flatnonzero(~alone)[which.reshape(-1) == number]
        parts.append(_rows(person.dictionary, mine, consent.groups("", _named(row, names)), row.sum()))
    for at in np.flatnonzero(alone).tolist():
        found = consent.groups(person.dictionary[at].as_py(), _named(has[at], names))
        parts.append(_rows(person.dictionary, np.array([at]), found, has[at].sum()))
    return pa.concat_tables(parts)


def _named(row: np.ndarray, names: list[str]) -> list[str]:
    return sorted(name for name, here in zip(names, row.tolist(), strict=True) if here)


def _rows(persons: pa.Array, mine: np.ndarray, groups: list[frozenset[str]], count: int) -> pa.Table:
    """A row for each of `mine`, group and platform; none where one group holds all `count` platforms."""
    pairs = [(name, number) for number, group in enumerate(groups) for name in sorted(group)]
    if not pairs or (len(groups) == 1 and len(groups[0]) == count):
        return SCHEMA.empty_table()
    platforms, numbers = zip(*pairs, strict=True)
    return pa.table(
        {
            "person": persons.take(pa.array(np.repeat(mine, len(pairs)))),
            "platform": list(platforms) * len(mine),
            "group": pa.array(np.tile(numbers, len(mine)), pa.int32()),
        },
        schema=SCHEMA,
    )
