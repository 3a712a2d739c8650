"""POST /v1/events and POST /v1/feedback."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.schemas.strict import WHOLE, Id, Strict, Time, Word

MOST = 1_000
"""Rows in one request."""


class EventBody(Strict):
    """What one user did with one item of a platform. The same content is the same event, however often it is
    sent and whichever way it comes."""

    platform: Word
    user: Id
    """The user id on that platform."""
    listing: Id
    """The platform's own item id."""
    type: Word
    """One of the platform's event types."""
    time: Annotated[int, Field(ge=0, le=10**18), WHOLE]
    """When it happened, UTC seconds; one in milliseconds or finer is rejected by its row's verdict."""
    value: float | None = None
    """A rating, a watched share or a quantity, where the platform's events have one."""


class EventsBody(Strict):
    """One event or many; each gets its verdict."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "events": [
                        {
                            "platform": "cinema",
                            "user": "u7",
                            "listing": "c3",
                            "type": "rating",
                            "value": 5,
                            "time": 1704067200,
                        },
                        {
                            "platform": "shop",
                            "user": "k7",
                            "listing": "s5",
                            "type": "purchase",
                            "time": 1704070800,
                        },
                    ]
                }
            ]
        }
    )

    events: list[EventBody] = Field(min_length=1, max_length=MOST)


class EventVerdict(BaseModel):
    verdict: Literal["stored", "known", "rejected"]
    event: str | None
    """Id of the event, derived from its content; null where it was rejected."""
    code: str | None = None
    """Why it was rejected, as in the rejects of `whyrec ingest`."""
    message: str | None = None


class EventsAnswer(BaseModel):
    """What was stored is durable when this arrives."""

    stored: int
    known: int
    """Were here already, or twice in this request."""
    rejected: int
    verdicts: list[EventVerdict]
    """In the order of the request."""


class FeedbackBody(Strict):
    """What a person did with one item of an answer."""

    id: Id
    """The caller's own: the same id is the same feedback."""
    recommendation: Id
    """Id of the answer."""
    item: Id
    kind: Literal["seen", "clicked", "accepted", "rejected", "rated"]
    value: float | None = None
    """The rating of a `rated` one, on the platform's scale."""
    why: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None
    """The person's words."""
    time: Time | None = None
    """When; absent: now."""


class FeedbacksBody(Strict):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "feedback": [
                        {
                            "id": "f-1",
                            "recommendation": "0f3c9d0b5f4d4c6f9f0e5a7b8c9d0e1f",
                            "item": "i0000000000000000000a",
                            "kind": "accepted",
                        }
                    ]
                }
            ]
        }
    )

    feedback: list[FeedbackBody] = Field(min_length=1, max_length=MOST)


class FeedbackVerdict(BaseModel):
    verdict: Literal["stored", "known", "rejected"]
    id: str
    counts: bool
    """Whether it stands in the person's history from now on. `seen` does not, nor does what was answered to
    nobody in particular."""
    code: str | None = None
    message: str | None = None


class FeedbackAnswer(BaseModel):
    """What was stored is durable when this arrives."""

    stored: int
    known: int
    rejected: int
    verdicts: list[FeedbackVerdict]
    """In the order of the request."""
