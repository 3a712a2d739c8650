"""/v1/items: the catalogue."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.schemas.recommendations import ListingAnswer
from api.schemas.strict import WHOLE, Age, Asked, Id, Strict, Time, Word

Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Address = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$", max_length=2000)]


class ListingBody(Strict):
    """An item as one platform lists it. What is absent here is not known of the listing."""

    platform: Word
    listing: Id
    """The platform's own item id."""
    title: Text | None = None
    year: Annotated[int, Field(ge=-5000, le=9999), WHOLE] | None = None
    creators: list[Text] = Field([], max_length=50)
    categories: list[Text] = Field([], max_length=50)
    description: Annotated[str, StringConstraints(max_length=10_000)] | None = None
    language: Word | None = None
    min_age: Age | None = None
    price: float | None = Field(None, ge=0)
    url: Address | None = None
    image: Address | None = None
    available_from: Time | None = None
    available_to: Time | None = None
    external_ids: dict[Word, Id] = Field({}, max_length=20)
    """Kind of id (isbn, imdb, gtin) to value: what joins listings of one work."""


class ListingsBody(Strict):
    """Listings to add or to replace, each as a whole. They show at once; they are linked to other platforms'
    and recommended from the next `whyrec ingest` and `whyrec train` on."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "platform": "shop",
                            "listing": "s900",
                            "title": "A New Film",
                            "year": 2024,
                            "categories": ["Drama"],
                            "price": 12.5,
                            "external_ids": {"imdb": "tt0000900"},
                        }
                    ]
                }
            ]
        }
    )

    items: list[ListingBody] = Field(min_length=1, max_length=1_000)


class ListingVerdict(BaseModel):
    verdict: Literal["stored", "rejected"]
    item: str | None
    """Id of the item that the listing belongs to today; null where it was rejected."""
    code: str | None = None
    message: str | None = None


class ListingsAnswer(BaseModel):
    """What was stored is durable when this arrives."""

    stored: int
    rejected: int
    verdicts: list[ListingVerdict]
    """In the order of the request."""


class ItemFacts(BaseModel):
    """What is known of an item."""

    item: str
    title: str
    year: int | None
    creators: list[str]
    categories: list[str]
    description: str | None
    language: str | None
    min_age: int | None
    listings: list[ListingAnswer]


class SimilarItem(BaseModel):
    score: float
    """Cosine of who had the two: 1 where always both, 0 where never."""
    item: ItemFacts


class SimilarAnswer(BaseModel):
    item: str
    similar: list[SimilarItem]


class SearchAnswer(BaseModel):
    items: list[ItemFacts]


class SearchQuery(Asked):
    title: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """Words of a title, in any order; small misspellings are found where nothing else is."""
    platform: Word | None = None
    """Only items listed there."""
    limit: int = Field(20, ge=1, le=100)


class SimilarQuery(Asked):
    platform: Word | None = None
    """Only items listed there."""
    k: int = Field(20, ge=1, le=100)
