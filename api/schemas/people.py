"""/v1/users/{platform}/{user}: what is known of a person, and the person's rights."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.strict import Asked, Id, Strict, Word


class HistoryQuery(Asked):
    platform: Word | None = None
    """Only what may serve this platform; absent: everything."""
    limit: int = Field(100, ge=1, le=1_000)
    after: Id | None = None
    """The `next` of the page before."""


class HistoryEvent(BaseModel):
    event: str
    platform: str
    item: str
    title: str
    type: str
    value: float | None
    time: int
    polarity: int
    """1 liked, 0 neither, -1 disliked."""
    confidence: float
    """Of the links that make it this person's and this item's."""


class HistoryAnswer(BaseModel):
    """Newest first."""

    person: str
    events: list[HistoryEvent]
    next: str | None
    """For `after`, to go on; null at the end."""


class PlatformProfile(BaseModel):
    platform: str
    events: int
    liked: int
    disliked: int
    first: int
    last: int
    serves: list[str]
    """The platforms that this history may serve."""


class Taste(BaseModel):
    name: str
    liked: int
    disliked: int


class ProfileAnswer(BaseModel):
    person: str
    events: int
    platforms: list[PlatformProfile]
    categories: list[Taste]
    """Those of liked and disliked items, the commonest first; at most 20."""
    creators: list[Taste]


class StatementBody(Strict):
    source: Word
    """The platform whose history may or may not serve; `*`: any."""
    target: Word
    """The platform that asks; `*`: any."""
    allowed: bool


class ConsentBody(Strict):
    """All that this account states. What it stated before is replaced; an empty list withdraws it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"statements": [{"source": "cinema", "target": "*", "allowed": False}]}]
        }
    )

    statements: list[StatementBody] = Field(max_length=100)


class ConsentAnswer(BaseModel):
    statements: list[StatementBody]
    serves: dict[str, list[str]]
    """Platform that asks, and the platforms whose history of this person may serve it."""


class ErasureAnswer(BaseModel):
    """The person is hidden and erased from the store; docs/privacy.md tells of data builds and artefacts."""

    accounts: int
    """Accounts that stand under a tombstone now."""
    erased: dict[str, int]
    """Rows that were removed, by table."""


class ExportAnswer(BaseModel):
    """Everything held of the person."""

    person: str
    accounts: list[dict[str, str]]
    events: list[dict[str, Any]]
    live_events: list[dict[str, Any]]
    consents: list[dict[str, Any]]
    recommendations: list[dict[str, Any]]
    profile: list[dict[str, Any]]
    """What a language model read out of the history: statements with the events that they rest on."""
