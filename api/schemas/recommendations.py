"""POST /v1/recommendations: what it takes and gives. `whyrec recommend --json` prints the same."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from api.schemas.strict import Id, Strict, UserRef, Word


class FilterBody(Strict):
    """What may be proposed; an absent field allows everything."""

    categories_in: list[Word] | None = Field(None, max_length=50)
    """At least one of these."""
    categories_out: list[Word] | None = Field(None, max_length=50)
    """None of these."""
    languages: list[Word] | None = Field(None, max_length=20)
    price_max: float | None = Field(None, ge=0)
    max_age_rating: int | None = Field(None, ge=0, le=99)
    """Leaves out items whose minimum age is above this."""
    exclude: list[Id] | None = Field(None, max_length=1000)
    """Item ids never to be proposed."""
    repeats: bool = False
    """Whether items that the person already had may be proposed."""


class RecommendationBody(Strict):
    """Who asks, where, and for what. Exactly one of `person` and `user` names the person."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"user": {"platform": "cinema", "user": "c1"}, "k": 3},
                {
                    "user": {"platform": "cinema", "user": "c1"},
                    "platform": "stream",
                    "k": 5,
                    "wish": "something short, no violence",
                    "deadline_ms": 2000,
                    "filters": {"categories_out": ["Horror"]},
                },
            ]
        }
    )

    person: Id | None = None
    """Person id, as answers give it."""
    user: UserRef | None = None
    platform: Word | None = None
    """The asking platform: only items listed there, only history that may serve it. Absent: any."""
    k: int = Field(10, ge=1, le=100)
    """How many items."""
    wish: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    """What the person wants now, in words."""
    mode: Literal["recall", "rank", "explain"] = "explain"
    """recall: no model; rank: a model's order, no reasons; explain: both."""
    language: Literal["en", "zh"] = "en"
    """Of the reasons."""
    prompt: Word | None = None
    """Name of the ranking prompt; absent: the configured one."""
    depth: int | None = Field(None, ge=1, le=300)
    """How many candidates the model ranks; absent: the configured number."""
    deadline_ms: int | None = Field(None, ge=10, le=600_000)
    """The answer is out by then, whatever the model does; absent: the configured one."""
    as_of: int | None = Field(None, ge=0, le=253_402_300_799)
    """Answer as of this time: later events do not count. Absent: now."""
    filters: FilterBody | None = None

    @model_validator(mode="after")
    def _one_person(self) -> Self:
        if (self.person is None) == (self.user is None):
            raise ValueError("give exactly one of 'person' and 'user'")
        return self


class EvidenceAnswer(BaseModel):
    """What a reason rests on."""

    kind: Literal["event", "fact", "wish"]
    label: str
    """As the model saw it."""
    text: str
    event: str | None
    item: str | None
    platform: str | None
    time: int | None
    type: str | None
    value: float | None
    polarity: int | None
    """1 liked, 0 neither, -1 disliked."""


class ReasonAnswer(BaseModel):
    text: str
    author: Literal["llm", "template"]
    checked: bool
    """Whether the check against the cited evidence was passed."""
    withheld: str | None
    """The code for which the model's own reason was not shown."""
    evidence: list[EvidenceAnswer]


class ListingAnswer(BaseModel):
    platform: str
    listing: str
    """The platform's own item id."""
    title: str
    price: float | None
    url: str | None
    image: str | None


class ItemAnswer(BaseModel):
    rank: int
    """From 1."""
    item: str
    title: str
    year: int | None
    categories: list[str]
    listings: list[ListingAnswer]
    score: float
    """The blend's."""
    recall_rank: int
    """Place before the model, from 1."""
    model_rank: int | None
    """The model's own place, from 1; null where it did not rank the item."""
    place: Literal["model", "filled", "recall"]
    sources: dict[str, float]
    """The recallers that proposed it, with their scores."""
    reason: ReasonAnswer | None


class UsageAnswer(BaseModel):
    prompt: int
    completion: int
    cached: int


class ProvenanceAnswer(BaseModel):
    """How the answer came about."""

    rerank_status: Literal["full", "partial", "skipped"]
    cause: str | None
    """Why the order is not, or not fully, the model's."""
    reasons_status: Literal["full", "partial", "skipped"]
    reasons_cause: str | None
    model: str | None
    method: str
    prompt: str | None
    prompt_hash: str | None
    artefact: str
    weight: float
    """Share of the model in the blend."""
    weight_source: Literal["default", "configured", "fitted", "none"]
    weight_segment: str | None
    """The people for whom a fitted weight was fitted."""
    usage: UsageAnswer
    calls: int
    cache_hits: int
    milliseconds: dict[str, float]
    repairs: dict[str, int]
    removed: dict[str, int]
    """Items that rules removed before ranking."""
    reasons: dict[str, int]
    """Counts: written, checked, withheld by code, template."""


class RecommendationAnswer(BaseModel):
    id: str
    person: str | None
    platform: str | None
    wish: str | None
    items: list[ItemAnswer]
    provenance: ProvenanceAnswer
