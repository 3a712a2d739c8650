"""The methods that order candidates: one file each, one line in the table."""

from __future__ import annotations

from recall.errors import ConfigError
from rerank.methods.keep_order import KeepOrder
from rerank.methods.listwise import Listwise
from rerank.methods.logits import Logits
from rerank.methods.method import Method, RankTask
from rerank.methods.pointwise import Pointwise
from rerank.types import Capabilities

__all__ = ["METHODS", "Method", "RankTask", "check_needs"]

METHODS: dict[str, Method] = {
    method.name: method for method in (Listwise(), Logits(), Pointwise(), KeepOrder())
}


def check_needs(method: Method, capabilities: Capabilities) -> None:
    """ConfigError with the remedy when the engine is known to lack what the method needs."""
    for need in method.needs:
        if getattr(capabilities, need) is False:
            raise ConfigError(
                f"[rank] method {method.name!r} needs {need}, which {capabilities.model} does not give: "
                "use method 'listwise', or an engine that gives it, such as 'embedded' or `whyrec llm serve`"
            )
