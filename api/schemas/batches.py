"""/v1/batches: recommendations for many people, as a job."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.recommendations import FilterBody, Wanted
from api.schemas.strict import Asked, Strict, UserRef

MOST = 10_000


class BatchBody(Strict, Wanted):
    """One question for many accounts."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "users": [{"platform": "cinema", "user": "u1"}, {"platform": "cinema", "user": "u2"}],
                    "k": 3,
                    "mode": "recall",
                }
            ]
        }
    )

    users: list[UserRef] = Field(min_length=1, max_length=MOST)
    filters: FilterBody | None = None


class BatchAnswer(BaseModel):
    id: str
    state: Literal["running", "done"]
    total: int
    done: int
    """Rows that were asked, failed ones included."""
    failed: int
    created: int
    finished: int | None


class BatchRow(BaseModel):
    row: int
    """In the request, from 0."""
    platform: str
    user: str
    recommendation: str | None
    """Id of the answer, for GET /v1/recommendations/{id}; null where there is none (yet)."""
    problem: str | None


class BatchRows(BaseModel):
    rows: list[BatchRow]
    next: int | None
    """For `after`, to go on; null at the end."""


class RowsQuery(Asked):
    after: int = Field(-1, ge=-1, le=MOST)
    """The `next` of the page before."""
    limit: int = Field(100, ge=1, le=1_000)
