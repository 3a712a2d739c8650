"""How `whyrec llm check` shows what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from rerank.llm.measure import Measured
    from rerank.types import Capabilities


def table(able: Capabilities, measured: Measured) -> Table:
    """Two columns: what, and what was found."""
    from rich.table import Table
    from rich.text import Text

    from api.cli.output import plain

    rows = {
        "model": able.model,
        "models listed": ", ".join(able.models) or "one, in this process",
        "context": _tokens(able.context),
        "JSON schema": _yes(able.json_schema, "enforced", "taken and ignored, or refused"),
        "log-probabilities": _logprobs(able),
        "tokenizer": "the model's own" if able.tokenizer else "none: tokens are estimated",
        "the same seed": _yes(measured.seed_holds, "gives the same text", "gives another text"),
        "reads": _rate(measured.prefill),
        "writes": _rate(measured.decode),
        "prefix cache": _cache(measured),
    }
    rows |= {f"method {name}": said for name, said in measured.methods.items()}
    made = Table(show_header=False, box=None)
    for name, said in rows.items():
        made.add_row(Text(name, style="bold"), Text(plain(said)))
    return made


def _yes(value: bool | None, yes: str, no: str) -> str:
    return "not known" if value is None else yes if value else no


def _tokens(value: int | None) -> str:
    return "not known" if value is None else f"{value:,} tokens"


def _logprobs(able: Capabilities) -> str:
    if not able.logprobs:
        return _yes(able.logprobs, "", "none")
    many = f"{able.top_logprobs} per token" if able.top_logprobs else "of every label"
    return f"{many}, taken after a mask to the labels" if able.masks else many


def _rate(value: float | None) -> str:
    return "not known" if value is None else f"{value:,.0f} tokens a second"


def _cache(measured: Measured) -> str:
    if measured.first_seconds is None or measured.again_seconds is None:
        return "not known"
    times = (
        f"{measured.prompt_tokens or '?'} tokens in {measured.first_seconds:.2f} s, "
        f"again in {measured.again_seconds:.2f} s"
    )
    return f"{_yes(measured.prefix_cache, 'at work', 'none')}: {times}"
