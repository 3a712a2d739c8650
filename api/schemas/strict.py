"""What the bodies of all doors share.

Requests: no coercion, no NaN, unknown fields refused. Of duplicate keys in a JSON object the last one counts.
Times are UTC seconds.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Id = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=100)]


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
"""JSON has one kind of numbers, so 5.0 is 5; true and "5" are no numbers. Limits stand before it in a type:
behind it they would be checked and not documented."""

Time = Annotated[int, Field(ge=0, le=253_402_300_799), WHOLE]
"""UTC seconds, up to the year 9999."""
Age = Annotated[int, Field(ge=0, le=99), WHOLE]
"""Years."""


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
