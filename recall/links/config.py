"""The [links] section of whyrec.toml."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LinkColumns(_Section):
    """Which column of a link table is what."""

    person: str
    """A key that a person's accounts share within this table; what it is, `key` says."""
    platform: str
    """The platform's name, as in [platforms.NAME]."""
    user: str
    """The platform's user id."""


class LinkTable(_Section):
    """A CSV file (with a header) that says which accounts belong to one person."""

    path: str
    """The file or a glob; relative paths start at whyrec.toml."""
    columns: LinkColumns
    """Which column is what."""
    delimiter: str = Field(",", min_length=1, max_length=1)
    """Between the columns."""
    confidence: float = Field(1.0, gt=0, le=1)
    """Of every link in the table."""
    key: Literal["id", "email", "phone"] = "id"
    """'id' counts within this table only. E-mails and phones are kept as salted hashes (WHYREC_KEY_SALT) and
    join accounts of every table and source that gives the same one."""
    phone_country: str | None = Field(None, pattern=r"^[1-9]\d{0,2}$")
    """Country code of phone numbers that have none; without it such numbers join nobody."""


class LinksConfig(_Section):
    """[links]: how accounts become persons and listings become items."""

    tables: tuple[LinkTable, ...] = ()
    """Link tables of persons."""
    accounts_per_key: int = Field(5, ge=1)
    """A key that more accounts of one platform share links nobody and is reported."""
    accounts_per_person: int = Field(50, ge=2)
    """More accounts than this that keys chain together are no person: none of those keys links, and the
    report says so. What was linked by hand counts in any case."""
    items: bool = True
    """Whether listings are matched by title and year; external ids and decisions count in any case."""
    year_tolerance: int = Field(1, ge=0, le=3)
    """Years that two listings of one work may lie apart."""
    fuzzy: float = Field(88.0, ge=50, le=100)
    """Similarity of token-sorted titles (0 to 100) from which a fuzzy match counts."""
    gap: float = Field(6.0, ge=0, le=50)
    """How far the best fuzzy match has to lie above the next one."""
    floor: float = Field(0.8, ge=0, le=1)
    """Matches with less confidence are not taken; `whyrec links review` lists them."""
