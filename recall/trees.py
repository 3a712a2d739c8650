"""Regression trees over what the sources say: a learned order of the first candidates, mixed with the sum's.

`whyrec fit recall` grows them with LightGBM (LambdaMART; Burges, "From RankNet to LambdaRank to LambdaMART",
2010) and keeps them only where they earned it. Here they are plain numbers and one compiled loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from pydantic import BaseModel, ConfigDict, Field, model_validator

TOP = 100
"""So many of the sum's best are put in order by the trees; the rest stays below them as it is."""

TOTAL, COMMON, LIKED, NEW = "sum", "facts-in-common", "liked", "new"
"""Features beside the sources' own normalised scores: the weighted sum, the facts that the item shares with
what the person liked, how many items the person liked, and whether the person is new to the platform."""


class Trees(BaseModel):
    """`roots` are the trees' first nodes. A node's `left` and `right` are later nodes, or -1 - leaf."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = Field(gt=0, le=1)
    """Of the trees' order in the final one."""
    features: tuple[str, ...]
    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    """A value up to it goes left."""
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]
    """Of each leaf."""
    roots: tuple[int, ...]

    @model_validator(mode="after")
    def _whole(self) -> Trees:
        nodes, leaves = len(self.feature), len(self.value)
        if not len(self.threshold) == len(self.left) == len(self.right) == nodes:
            raise ValueError("feature, threshold, left and right are not equally long")
        if any(not 0 <= at < len(self.features) for at in self.feature):
            raise ValueError("a node asks for a feature that is not named")
        for node, children in enumerate(zip(self.left, self.right, strict=True)):
            if any(not (node < child < nodes or -leaves <= child < 0) for child in children):
                raise ValueError(f"node {node} leads to no later node or leaf")
        if any(not (0 <= root < nodes or -leaves <= root < 0) for root in self.roots):
            raise ValueError("a root is no node")
        return self


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees as arrays."""

    trees: Trees
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    roots: np.ndarray

    @classmethod
    def of(cls, trees: Trees) -> Forest:
        return cls(
            trees,
            np.array(trees.feature, np.int32),
            np.array(trees.threshold, np.float64),
            np.array(trees.left, np.int32),
            np.array(trees.right, np.int32),
            np.array(trees.value, np.float64),
            np.array(trees.roots, np.int32),
        )

    def uses(self, feature: str) -> bool:
        """Whether any node asks for it."""
        return feature in self.trees.features

    def margins(self, table: np.ndarray) -> np.ndarray:
        """float64[n]: the trees' sum for each row of float32[n × features]."""
        given = (self.feature, self.threshold, self.left, self.right, self.value, self.roots)
        return np.asarray(_margins(np.ascontiguousarray(table, np.float32), *given))


def table(
    features: Sequence[str],
    parts: Mapping[str, np.ndarray],
    total: np.ndarray,
    common: np.ndarray,
    *,
    liked: int | np.ndarray,
    new: bool | np.ndarray,
) -> np.ndarray:
    """float32[n × features]. `parts` are the sources' scores from 0 to 1, n each; a source that is not there
    says 0."""
    found = np.zeros((len(total), len(features)), np.float32)
    others = {TOTAL: total, COMMON: common, LIKED: liked, NEW: new}
    for at, name in enumerate(features):
        column = others.get(name, parts.get(name))
        if column is not None:
            found[:, at] = column
    return found


def mixed(total: np.ndarray, margins: np.ndarray, share: float) -> np.ndarray:
    """float32: both orders brought to the span of `total` and added; flat ones change nothing."""
    low, span = total.min(initial=np.inf), np.ptp(total) if len(total) else 0.0
    reach = np.ptp(margins) if len(margins) else 0.0
    if span <= 0 or reach <= 0:
        return total
    learned = low + span * (margins - margins.min()) / reach
    return np.asarray((1 - share) * total + share * learned, np.float32)


def grown(dump: Mapping[str, object], features: Sequence[str], share: float) -> Trees:
    """From LightGBM's `Booster.dump_model()`; only features that some node asks for are kept."""
    feature: list[int] = []
    threshold: list[float] = []
    left: list[int] = []
    right: list[int] = []
    value: list[float] = []

    def add(node: Mapping[str, object]) -> int:
        if "split_feature" not in node:
            value.append(float(node["leaf_value"]))  # type: ignore[arg-type]
            return -len(value)
        at = len(feature)
        feature.append(int(node["split_feature"]))  # type: ignore[call-overload]
        threshold.append(float(node["threshold"]))  # type: ignore[arg-type]
        left.append(0)
        right.append(0)
        left[at] = add(node["left_child"])  # type: ignore[arg-type]
        right[at] = add(node["right_child"])  # type: ignore[arg-type]
        return at

    roots = [add(tree["tree_structure"]) for tree in dump["tree_info"]]  # type: ignore[attr-defined]
    used = sorted(set(feature))
    place = {old: new for new, old in enumerate(used)}
    return Trees(
        share=share,
        features=tuple(features[at] for at in used),
        feature=tuple(place[at] for at in feature),
        threshold=tuple(threshold),
        left=tuple(left),
        right=tuple(right),
        value=tuple(value),
        roots=tuple(roots),
    )


@njit(cache=True, nogil=True)
def _margins(table, feature, threshold, left, right, value, roots):  # type: ignore[no-untyped-def]
    found = np.zeros(len(table))
    for row in range(len(table)):
        for root in roots:
            node = root
            while node >= 0:
                below = np.float64(table[row, feature[node]]) <= threshold[node]
                node = left[node] if below else right[node]
            found[row] += value[-1 - node]
    return found
