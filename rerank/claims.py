"""What a reason says, against what is known. Grows into the closed check."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rerank.reasons import Draft, ReasonTask


def check_claims(draft: Draft, task: ReasonTask) -> str | None:
    return "claim"
