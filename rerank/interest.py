"""A request's wish as recall takes it: words, or a vector where an endpoint made those of the items."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from recall.errors import ModelError
from recall.protocols import Stock
from rerank.types import Deadline, Request
from rerank.untrusted import clean
from rerank.wording import WISH_CHARS

if TYPE_CHECKING:
    from rerank.knowledge.embeddings import Embedder

SHARE = 0.25
"""Of the time left, which the endpoint may take for a wish."""


async def interest_of(
    stock: Callable[[], Stock], request: Request, embedder: Embedder | None, deadline: Deadline
) -> str | tuple[float, ...] | None:
    """None without a wish, and where its vector can't be had in time: then recall does without."""
    wish = clean(request.wish or "", WISH_CHARS)
    if not wish or request.candidates is not None:
        return None
    made_by = (await asyncio.to_thread(stock)).recall.embedder
    if not made_by:
        return wish
    if embedder is None or embedder.name != made_by:
        return None
    try:
        return await embedder.wish(wish, Deadline.after(deadline.left() * SHARE))
    except ModelError:
        return None
