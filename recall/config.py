"""The sections of whyrec.toml that merging reads: [platforms.NAME] with its sources, and [merge]."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from recall.presets import preset_fields

TimeUnit = Literal["seconds", "milliseconds", "microseconds", "iso8601", "date"]
Encoding = Literal["utf-8", "utf-16", "latin-1", "cp1252", "cp1251", "gb18030", "shift_jis", "euc-kr", "big5"]
"""The encodings that CSV and JSON-lines files may have; 'utf-8' takes a byte order mark as well."""

KeyKind = Literal["email", "phone"]
"""What two accounts of one person may share; only salted hashes of it are kept (recall/links/keys.py)."""

PLATFORM_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Section):
    """Where rows come from: files, or a table or query of a database. Relative paths start at whyrec.toml."""

    preset: str | None = None
    """A known format (recall/presets.py) whose keys these are added to and override."""
    path: str | tuple[str, ...] = ()
    """Files or globs."""
    url: str | None = None
    """A database instead of files: sqlite:///FILE or postgresql://…; $NAME is read from the environment."""
    table: str | None = None
    """The database's table (schema.table)."""
    query: str | None = None
    """Or a query."""
    format: Literal["auto", "csv", "parquet", "jsonl"] = "auto"
    """Of the files; 'auto' goes by the ending, a .gz or .zst after it aside."""
    delimiter: Annotated[str, Field(min_length=1, max_length=4)] = ","
    """Of CSV files; '::' and the like may be up to four characters long."""
    quote: Annotated[str, Field(max_length=1)] = '"'
    """Of CSV files; '' when nothing is quoted."""
    escape: Annotated[str, Field(max_length=1)] = '"'
    """What stands before a quote inside a quoted field; as a rule the quote itself."""
    encoding: Encoding = "utf-8"
    """Of CSV and JSON-lines files."""
    header: bool = True
    """Whether a CSV file's first line names the columns."""
    names: tuple[str, ...] = ()
    """The columns of a CSV file without a header, in order."""
    filter: str | None = None
    """Rows for which this does not hold are set aside: "country in ['NL', 'BE'] and stars >= 1"."""

    @model_validator(mode="before")
    @classmethod
    def _take_preset(cls, values: Any) -> Any:
        """A preset's keys first; tables such as `columns` are merged key by key, and '' removes a key."""
        if not isinstance(values, dict) or not values.get("preset"):
            return values
        merged = dict(preset_fields(str(values["preset"]), cls.__name__))
        for key, value in values.items():
            if isinstance(value, dict) and isinstance(merged.get(key), dict):
                both = merged[key] | value
                merged[key] = {k: v for k, v in both.items() if v != ""}
            else:
                merged[key] = value
        return merged

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.path) == bool(self.url):
            raise ValueError("give either `path` (files) or `url` (a database)")
        if self.url and bool(self.table) == bool(self.query):
            raise ValueError("a database source needs either `table` or `query`")
        if not self.url and (self.table or self.query):
            raise ValueError("`table` and `query` belong to a database: give `url`")
        if not self.header and not self.names:
            raise ValueError("a file without a header needs `names`, its columns in order")
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.path,) if isinstance(self.path, str) else self.path


class EventColumns(_Section):
    """Which column of the source is what."""

    user: str
    """The platform's user id."""
    item: str
    """The platform's item id."""
    time: str
    """When; its unit is the source's `time`."""
    type: str | None = None
    """The event type, where it is not the constant `type`."""
    value: str | None = None
    """A rating, a watched share or a quantity."""
    keys: dict[KeyKind, str] = {}
    """Kind of key that joins accounts (email, phone) → column. Needs WHYREC_KEY_SALT."""


class TypeRule(_Section):
    """What one event type counts for."""

    weight: float = Field(1.0, ge=0, le=1000)
    """Before time decay."""
    polarity: Literal["like", "neutral", "dislike"] = "like"
    """A dislike (a skip, a return) stays in the history and is never trained; its weight is taken as 0."""


class Rating(_Section):
    """`value` is a rating."""

    min: float = 1
    """Lowest mark of the scale; rows outside it are rejected."""
    max: float = 5
    """Highest mark."""
    like: float = 4
    """From here up it is a like."""
    dislike: float = 2
    """From here down it is a dislike; between the two it is neutral."""
    neutral_weight: float = Field(0.2, ge=0, le=1)
    """Share of the type's weight that a neutral rating counts for."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.min <= self.dislike < self.like <= self.max:
            raise ValueError("needs min <= dislike < like <= max")
        return self


class Watched(_Section):
    """`value` is the share of a work that was watched, read or listened to."""

    like: float = 0.7
    """From here up it is a like."""
    dislike: float = 0.2
    """From here down it is a dislike; between the two it is neutral."""
    max: float = 1.0
    """What 'all of it' is: 1, or 100 for percent."""
    neutral_weight: float = Field(0.2, ge=0, le=1)
    """Share of the type's weight that a neutral event counts for."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not 0 <= self.dislike < self.like <= self.max:
            raise ValueError("needs 0 <= dislike < like <= max")
        return self


class Quantity(_Section):
    """`value` is a number of pieces, plays or minutes: the weight is multiplied by it, up to `cap`."""

    cap: float = Field(3.0, gt=0)
    """More than this counts as this much."""
    max: float = Field(1e6, gt=0)
    """More than this, or 0 and less, is rejected."""


class EventSource(Source):
    """Rows of who did what when."""

    columns: EventColumns
    """Which column is what."""
    time: TimeUnit = "seconds"
    """Unit or form of the times; ISO 8601 without a zone and dates are UTC."""
    type: str = "event"
    """The event type where `columns.type` is not given, or is empty in a row."""
    weight: float = Field(1.0, ge=0, le=1000)
    """What an event counts for, before time decay, unless `types` says otherwise."""
    types: dict[str, TypeRule] = {}
    """By event type. With `columns.type` and `types` given, rows of other types are rejected."""
    rating: Rating | None = None
    """The scale, where `value` is a rating."""
    watched: Watched | None = None
    """The thresholds, where `value` is a watched share."""
    quantity: Quantity | None = None
    """The limits, where `value` is a quantity."""
    phone_country: str | None = Field(None, pattern=r"^[1-9]\d{0,2}$")
    """Country code of phone numbers that have none; without it such numbers join nobody."""

    @model_validator(mode="after")
    def _one_scale(self) -> Self:
        given = [name for name in ("rating", "watched", "quantity") if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"`value` can't be {' and '.join(given)} at once: keep one")
        if given and not self.columns.value:
            raise ValueError(f"`{given[0]}` needs columns.value")
        return self


class ItemColumns(_Section):
    """Which column of the source is what. List columns are lists, or texts cut at `separator`."""

    item: str
    """The platform's item id."""
    title: str | None = None
    """As the platform shows it."""
    year: str | None = None
    """Of first release; a date gives its year."""
    creators: str | None = None
    """Authors, directors, artists, brand."""
    categories: str | None = None
    """Genres, departments."""
    description: str | None = None
    """Plain text."""
    price: str | None = None
    """A number; currency signs and thousands separators are dropped."""
    url: str | None = None
    """The item's page."""
    image: str | None = None
    """Address of a picture."""
    language: str | None = None
    """Two-letter code or name."""
    min_age: str | None = None
    """Years."""
    available_from: str | None = None
    """Moment in the source's `time` unit."""
    available_to: str | None = None
    """Moment in the source's `time` unit."""
    external_ids: dict[str, str] = {}
    """Kind of id (isbn, imdb, gtin …) → column."""


class ItemSource(Source):
    """Rows of a platform's catalogue."""

    columns: ItemColumns
    """Which column is what."""
    time: TimeUnit = "iso8601"
    """Unit or form of `available_from` and `available_to`."""
    separator: str = "|"
    """Between the values of a text with several."""
    title_year: bool = False
    """Whether titles end in '(YEAR)', which is cut off and taken as the year where no column gives one."""
    flags: dict[str, str] = {}
    """Column that holds 1 where an item has a category → that category's name."""
    constants: dict[Literal["language", "min_age", "creators", "categories"], str] = {}
    """Attributes that are the same for every row and that no column gives."""


class AccountColumns(_Section):
    """Which column of the source is what."""

    user: str
    """The platform's user id."""
    keys: dict[KeyKind, str] = Field(min_length=1)
    """Kind of key that joins accounts (email, phone) → column. Needs WHYREC_KEY_SALT."""


class AccountSource(Source):
    """A platform's accounts with what joins them to accounts elsewhere."""

    columns: AccountColumns
    """Which column is what."""
    phone_country: str | None = Field(None, pattern=r"^[1-9]\d{0,2}$")
    """Country code of phone numbers that have none; without it such numbers join nobody."""


class PlatformConfig(_Section):
    """[platforms.NAME]: one source of interactions."""

    domain: str = "items"
    """What it offers, in a word: films, books, courses."""
    events: tuple[EventSource, ...] = ()
    """Who did what when."""
    items: tuple[ItemSource, ...] = ()
    """Its catalogue; items that only events name have no title."""
    accounts: tuple[AccountSource, ...] = ()
    """E-mail addresses or phone numbers of its users, where events don't carry them."""
    events_per_day: int = Field(1000, ge=1)
    """A person with more events on one UTC day is a bot: all of that person's events here are set aside."""


class MergeConfig(_Section):
    """[merge]: how interactions are made from events."""

    engine: Literal["duckdb", "spark"] = "duckdb"
    """What cleans, joins and aggregates; 'spark' needs the extra of that name, and Java."""
    spark: dict[str, str] = {}
    """Spark's own settings: "spark.master" = "spark://…"; without a master it runs on this machine."""
    memory_limit: str = Field("1GB", pattern=r"^\d+(MB|GB)$")
    """DuckDB's limit; larger inputs spill to the workspace."""
    threads: int = Field(0, ge=0)
    """0: one per core."""
    half_life_days: float = Field(365.0, gt=0)
    """An event this much older than the reference time counts half."""
    reference_time: int | None = None
    """UTC seconds at which decay is taken; none given: the time of the newest event kept."""
    cap: float = Field(5.0, gt=0)
    """Most that one (person, item) can weigh, after decay."""
    near_seconds: int = Field(0, ge=0)
    """Events of one person, item and type this close together count once, the latest; 0 keeps them all."""
    future_hours: int = Field(24, ge=0)
    """Times up to this far after the clock are taken; later ones are rejected."""
    max_reject_share: float = Field(0.05, ge=0, le=1)
    """More rejected rows than this, over all sources together or in one platform's, stops the build."""
    max_title: int = Field(500, ge=10)
    """Longer titles are cut here and counted."""
    raw_duplicates: bool = False
    """Whether rejects hold the raw rows of duplicates too; they say where the row that was kept stands."""
    keep_builds: int = Field(3, ge=1)
    """Older builds are removed."""


def check_platform_names(platforms: dict[str, PlatformConfig]) -> dict[str, PlatformConfig]:
    """ValueError for a name that can't be a platform: lower-case letters, digits, '-' and '_', at most 40."""
    for name in platforms:
        if not PLATFORM_NAME.fullmatch(name):
            raise ValueError(
                f"platform {name!r}: use lower-case letters, digits, '-' and '_', a letter first, at most 40"
            )
    return platforms
