"""What became of an arm's reasons: written, shown, withheld and why, how they differ, what they rest on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evals.results import Arm

_WORD = re.compile(r"\w+")
_WIDE = re.compile("[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Reasons:
    """Shares are of the reasons that the answers had room for."""

    places: int
    written: float
    """Share for which the model wrote a reason at all."""
    supported: float
    """Share whose own text passed the check and was shown; templates stand at the rest."""
    withheld: Mapping[str, float]
    """Code → share."""
    evidence: float
    """Mean number of events or facts that a shown reason of the model rests on; NaN without any."""
    distinct: float
    """Mean share of different words between two reasons of one answer (1 − Jaccard): low is boilerplate."""
    characters: float
    """Mean length of the model's shown reasons."""
    chinese: float
    """Share of the model's shown reasons with Chinese characters."""


def reasons(arm: Arm) -> Reasons | None:
    """None for an arm that writes none."""
    answers = [row["reasons"] for row in arm.rows if row.get("reasons")]
    every = [one for answer in answers for one in answer]
    if not every:
        return None
    own = [one for one in every if one["author"] == "llm"]
    withheld = Counter(one["withheld"] for one in every if one["withheld"])
    written = sum(row["reason_counts"].get("written", 0) for row in arm.rows if row.get("reasons"))
    return Reasons(
        places=len(every),
        written=written / len(every),
        supported=len(own) / len(every),
        withheld={code: count / len(every) for code, count in sorted(withheld.items())},
        evidence=_mean([len(one["evidence"]) for one in own]),
        distinct=_mean([value for answer in answers for value in _apart([o["text"] for o in answer])]),
        characters=_mean([len(one["text"]) for one in own]),
        chinese=_mean([bool(_WIDE.search(one["text"])) for one in own]),
    )


def _apart(texts: list[str]) -> list[float]:
    words = [frozenset(_WORD.findall(text.casefold())) for text in texts]
    return [1 - len(a & b) / len(a | b) for at, a in enumerate(words) for b in words[at + 1 :] if a | b]


def _mean(values: list[float] | list[int] | list[bool]) -> float:
    return float(np.mean(values)) if values else float("nan")
