"""What the HTTP service takes and gives: strict Pydantic models, one module per noun."""

from api.schemas.problems import FieldProblem, Live, Problem, Ready, Version
from api.schemas.recommendations import (
    EvidenceAnswer,
    FilterBody,
    ItemAnswer,
    ListingAnswer,
    ProvenanceAnswer,
    ReasonAnswer,
    RecommendationAnswer,
    RecommendationBody,
    RecommendationQuery,
    UsageAnswer,
)
from api.schemas.strict import Id, Strict, UserRef, Word

__all__ = [
    "EvidenceAnswer",
    "FieldProblem",
    "FilterBody",
    "Id",
    "ItemAnswer",
    "ListingAnswer",
    "Live",
    "Problem",
    "ProvenanceAnswer",
    "Ready",
    "ReasonAnswer",
    "RecommendationAnswer",
    "RecommendationBody",
    "RecommendationQuery",
    "Strict",
    "UsageAnswer",
    "UserRef",
    "Version",
    "Word",
]
