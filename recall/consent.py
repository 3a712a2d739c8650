"""Which of a person's platforms may serve which other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

EVERY = "*"
"""Stands for any platform in a statement."""


class ConsentConfig(BaseModel):
    """[consent]: what holds where a person stated nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    serves: dict[str, tuple[str, ...]] = {}
    """Platform → the platforms that its events may serve; a platform not named here may serve all."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A person, as the user of a platform, allows or forbids that `source`'s events serve `target`."""

    platform: str
    user: str
    source: str
    target: str
    allowed: bool
    at: int = 0


class Consent:
    """Consents of all persons. Statements hang on accounts; `person_of` says who has one today.

    Among a person's statements the one that names both platforms wins over one with '*', a later one over an
    earlier one, and no over yes. A platform may always serve itself.
    """

    def __init__(
        self,
        config: ConsentConfig,
        platforms: Iterable[str],
        statements: Iterable[Statement],
        person_of: Callable[[str, str], str],
    ) -> None:
        self._config = config
        self._platforms = frozenset(platforms)
        self._statements = tuple(statements)
        self._person_of = person_of
        self._mine: dict[str, list[Statement]] | None = None

    def allows(self, person: str, source: str, target: str) -> bool:
        """Whether the person's events on `source` may serve `target`."""
        if source == target:
            return True
        found = [
            (one.source != EVERY, one.target != EVERY, one.at, not one.allowed, one.allowed)
            for one in self._of(person)
            if one.source in (source, EVERY) and one.target in (target, EVERY)
        ]
        if found:
            return max(found)[-1]
        named = self._config.serves.get(source)
        return named is None or target in named

    def serves(self, person: str, asking: str) -> frozenset[str] | None:
        """Platforms whose events of this person may serve `asking`; None: all of them."""
        allowed = frozenset(name for name in self._platforms | {asking} if self.allows(person, name, asking))
        return None if allowed >= self._platforms else allowed

    def groups(self, person: str, platforms: Sequence[str]) -> list[frozenset[str]]:
        """Maximal sets of `platforms` of which each may serve each other, for training.

        The largest first, then by names. Where consent is not transitive they overlap. No platform: none.
        """
        agree = {
            one: {
                two
                for two in platforms
                if one != two and self.allows(person, one, two) and self.allows(person, two, one)
            }
            for one in platforms
        }
        found = _cliques(frozenset(), set(agree), set(), agree)
        return sorted(found, key=lambda group: (-len(group), sorted(group)))

    def stated(self) -> frozenset[str]:
        """Persons who stated anything; for all others only their platforms count."""
        self._of("")
        return frozenset(self._mine or ())

    def forget(self) -> None:
        """Ask `person_of` anew: links changed."""
        self._mine = None

    def _of(self, person: str) -> Sequence[Statement]:
        if self._mine is None:
            mine: dict[str, list[Statement]] = {}
            for one in self._statements:
                mine.setdefault(self._person_of(one.platform, one.user), []).append(one)
            self._mine = mine
        return self._mine.get(person, ())


def _cliques(
    group: frozenset[str], open_: set[str], done: set[str], agree: dict[str, set[str]]
) -> list[frozenset[str]]:
    """Bron and Kerbosch 1973, with a pivot."""
    if not open_ and not done:
        return [group] if group else []
    pivot = max(sorted(open_ | done), key=lambda name: len(agree[name] & open_))
    found: list[frozenset[str]] = []
    for name in sorted(open_ - agree[pivot]):
        found += _cliques(group | {name}, open_ & agree[name], done & agree[name], agree)
        open_ = open_ - {name}
        done = done | {name}
    return found
