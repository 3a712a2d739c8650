"""POST /v1/recommendations: what it takes and gives. `whyrec recommend --json` prints the same."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from api.schemas.strict import WHOLE, Age, Asked, Id, Strict, Time, UserRef, Word

PromptName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*(\.v[0-9]{1,4})?(\.(en|zh))?$", max_length=100)
]
"""Of a prompt that whyrec ships, never a file."""


class FilterBody(Strict):
    """What may be proposed; an absent field allows everything."""

    categories_in: list[Word] | None = Field(None, max_length=50)
    """At least one of these."""
    categories_out: list[Word] | None = Field(None, max_length=50)
    """None of these."""
    languages: list[Word] | None = Field(None, max_length=20)
    price_max: float | None = Field(None, ge=0)
    max_age_rating: Age | None = None
    """Leaves out items whose minimum age is above this."""
    exclude: list[Id] | None = Field(None, max_length=1000)
    """Item ids never to be proposed."""
    repeats: bool = False
    """Whether items that the person already had may be proposed."""


def _exactly(*ways: tuple[str, ...], none: tuple[str, ...] = ()) -> Any:
    """For the document: each way names the fields that are given, all others of the ways are not."""
    every = {name for way in ways for name in way}
    return [
        {
            "required": list(way),
            "properties": {name: {"not": {"type": "null"}} for name in way}
            | {name: {"type": "null"} for name in sorted(every - set(way))}
            | ({name: {"type": "null"} for name in none} if way == ways[0] else {}),
        }
        for way in ways
    ]


class HistoryEntry(Strict):
    """One thing that somebody without an account did: an item of ours, or a platform's own event."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": _exactly(("item",), ("platform", "listing"), none=("type", "value"))}
    )

    item: Id | None = None
    """Item id, as answers give it."""
    platform: Word | None = None
    listing: Id | None = None
    """The platform's own item id; with `platform`, instead of `item`."""
    type: Word | None = None
    """The platform's event type; absent: its first one. Only with `listing`."""
    value: float | None = None
    """A rating, share or quantity, where the type has one. Only with `listing`."""
    liked: bool | None = None
    """What the person thought of it; absent: what type and value say, or else liked."""
    time: Time | None = None
    """Absent: the entries are taken as newest first, up to now."""

    @model_validator(mode="after")
    def _one_item(self) -> Self:
        if (self.item is None) == (self.listing is None) or (self.listing is None) != (self.platform is None):
            raise ValueError("give either 'item', or 'platform' and 'listing'")
        if self.item is not None and (self.type is not None or self.value is not None):
            raise ValueError("'type' and 'value' go with 'platform' and 'listing'")
        return self


class Wanted(BaseModel):
    """What every question says of the answer; an absent field is the scenario's, or else configured."""

    platform: Word | None = None
    """The asking platform: only items listed there, only history that may serve it. Absent: any."""
    scenario: Word | None = None
    """A name of [scenarios]."""
    arm: Word | None = None
    """An arm of the scenario's experiment, instead of the one that the person is dealt."""
    k: Annotated[int, Field(ge=1, le=100), WHOLE] | None = None
    """How many items; absent: 10."""
    wish: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    """What the person wants now, in words."""
    mode: Literal["recall", "rank", "explain"] | None = None
    """recall: no model; rank: a model's order, no reasons; explain: both. Absent: explain."""
    language: Literal["en", "zh"] | None = None
    """Of the reasons; absent: en."""
    prompt: PromptName | None = None
    """Name of the ranking prompt; absent: the configured one."""
    depth: Annotated[int, Field(ge=1, le=300), WHOLE] | None = None
    """How many candidates the model ranks; absent: the configured number."""
    deadline_ms: Annotated[int, Field(ge=10, le=600_000), WHOLE] | None = None
    """The answer is out by then, whatever the model does; absent: the configured one."""
    as_of: Time | None = None
    """Answer as of this time: later events do not count. Absent: now."""
    after: Id | None = None
    """Id of an answer to the same question: the next page, without what it and the pages before it held."""


class RecommendationBody(Strict, Wanted):
    """Who asks, where, and for what. Exactly one of `person`, `user` and `history` says for whom."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": _exactly(("person",), ("user",), ("history",)),
            "examples": [
                {"user": {"platform": "cinema", "user": "u7"}, "k": 3},
                {
                    "user": {"platform": "cinema", "user": "u7"},
                    "platform": "shop",
                    "k": 5,
                    "wish": "something short, no violence",
                    "deadline_ms": 2000,
                    "filters": {"categories_out": ["Horror"]},
                },
                {
                    "history": [
                        {"platform": "cinema", "listing": "c1", "type": "rating", "value": 5},
                        {"platform": "shop", "listing": "s4"},
                    ],
                    "k": 3,
                    "mode": "recall",
                },
            ],
        }
    )

    person: Id | None = None
    """Person id, as answers give it."""
    user: UserRef | None = None
    history: list[HistoryEntry] | None = Field(None, max_length=1000)
    """What somebody without an account did, newest first; may be empty. Only the answer to it is kept."""
    candidates: list[Id] | None = Field(None, min_length=1, max_length=300)
    """Item ids to be ranked instead of recall's own, best first; filters do not touch them."""
    filters: FilterBody | None = None

    @model_validator(mode="after")
    def _one_person(self) -> Self:
        if sum(each is not None for each in (self.person, self.user, self.history)) != 1:
            raise ValueError("give exactly one of 'person', 'user' and 'history'")
        return self


class RecommendationQuery(Asked, Wanted):
    """The parameters of GET /v1/users/{platform}/{user}/recommendations."""

    categories_in: list[Word] = Field([], max_length=50)
    """At least one of these."""
    categories_out: list[Word] = Field([], max_length=50)
    """None of these."""
    languages: list[Word] = Field([], max_length=20)
    price_max: float | None = Field(None, ge=0)
    max_age_rating: Age | None = None
    exclude: list[Id] = Field([], max_length=1000)
    """Item ids never to be proposed."""
    repeats: bool = False
    """Whether items that the person already had may be proposed."""


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
    source: str | None = None
    """Of an extracted fact: the item's field that states it, or `model` where no text of the item does."""


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
    knowledge: dict[str, int] = {}
    """Counts of extracted knowledge that was used: facts and statements shown to the ranking model,
    shared_facts shown to the one that writes reasons, fact_reasons that rest on a fact, open_world among the
    facts. Empty: none was."""


class RecommendationAnswer(BaseModel):
    id: str
    person: str | None
    platform: str | None
    wish: str | None
    scenario: str | None = None
    experiment: str | None = None
    arm: str | None = None
    items: list[ItemAnswer]
    provenance: ProvenanceAnswer


class ServedPlace(BaseModel):
    """One place of an answer as it went out."""

    rank: int
    """From 1."""
    item: str
    title: str | None
    """As it is today; null where the item is gone."""
    score: float
    recall_rank: int
    model_rank: int | None
    place: Literal["model", "filled", "recall"]
    sources: dict[str, float]
    reason: ReasonAnswer | None


class ServedFeedback(BaseModel):
    id: str
    item: str
    kind: str
    value: float | None
    why: str | None
    time: int


class ServedAnswer(BaseModel):
    """What was served, and what came back on it."""

    id: str
    time: int
    person: str | None
    platform: str | None
    scenario: str | None
    experiment: str | None
    arm: str | None
    propensity: float
    """Probability with which the arm was drawn."""
    request: dict[str, Any]
    provenance: dict[str, Any]
    items: list[ServedPlace]
    feedback: list[ServedFeedback]


class Listed(BaseModel):
    """Data of the stream's events `recalled` and `ranked`: items in order, without reasons."""

    items: list[ItemAnswer]


class Told(BaseModel):
    """Data of the stream's event `reason`."""

    rank: int
    """Whose it is: the item's rank in `ranked`."""
    item: str
    reason: ReasonAnswer
