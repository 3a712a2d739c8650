"""What the bodies of all doors share.

Requests: no coercion, no NaN, unknown fields refused. Of duplicate keys in a JSON object the last one counts.
Times are UTC seconds.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Id = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Time = Annotated[int, Field(ge=0, le=253_402_300_799)]
"""UTC seconds, up to the year 9999."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Asked(BaseModel):
    """Parameters of a query string: texts become numbers, unknown names are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class UserRef(Strict):
    """A person by one of the accounts."""

    platform: Word
    """Name of the platform, as in [platforms.NAME]."""
    user: Id
    """The user id on that platform."""
