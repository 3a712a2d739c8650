"""Where texts become vectors: TF-IDF over weighted words, then a truncated SVD (latent semantic analysis,
Deerwester et al. 1990), centred and brought to length 1.

The result is the same for one seed whatever the number of threads: the linear algebra runs on one, and
scikit-learn fixes the signs of the components.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from recall.content.texts import Bag

DIMENSIONS = 64
"""More gained nothing on validation people of two data sets, and cost time in every answer."""
VOCABULARY = 60_000
"""Words that count: those that most items have."""
COMMON = 0.5
"""A word that more than this share of the items have says nothing."""
SAMPLE = 200_000
"""Items that the components are fitted on at most."""
_BLOCK = 65_536


@dataclass(frozen=True, slots=True)
class Space:
    """v words in d dimensions; v and d may be 0, then every text is a vector of zeros."""

    terms: np.ndarray
    """S[v], sorted: UTF-8"""
    idf: np.ndarray
    """float32[v]"""
    components: np.ndarray
    """float32[v × d]"""
    mean: np.ndarray
    """float32[d]: of all items that have text"""
    embedder: str = ""
    """What made the vectors that `components` are of, float32[e × d]; '': words, and there are no e"""

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Space:
        """From the arrays that `arrays` gave."""
        embedder = b"".join(arrays["embedder"].tolist()).decode()
        return cls(arrays["terms"], arrays["idf"], arrays["components"], arrays["mean"], embedder)

    def arrays(self) -> dict[str, np.ndarray]:
        """What an artefact keeps."""
        return {
            "terms": self.terms,
            "idf": self.idf,
            "components": self.components,
            "mean": self.mean,
            "embedder": np.array([self.embedder.encode()] if self.embedder else [b""], dtype="S"),
        }

    def project(self, bags: Iterable[Bag]) -> np.ndarray:
        """float32[bags × d] of length 1; zeros where no word is known."""
        known = {term.decode(): at for at, term in enumerate(self.terms.tolist())}
        return self.place(_weighed(_table(bags, known), self.idf))

    def place_made(self, vectors: np.ndarray) -> np.ndarray:
        """float32[n × d] of vectors float32[n × e] that the embedder made; zeros for those that are zeros or
        not finite."""
        found = np.zeros((len(vectors), self.components.shape[1]), np.float32)
        for start in range(0, len(vectors), _BLOCK):
            block = np.array(vectors[start : start + _BLOCK], np.float32)
            block[~np.isfinite(block).all(axis=1)] = 0
            normalised(block)
            told = block.any(axis=1)
            found[start : start + _BLOCK][told] = block[told] @ self.components - self.mean
        return normalised(found)

    def place(self, weighed: csr_matrix) -> np.ndarray:
        """float32[n × d] of rows of TF-IDF."""
        found = np.zeros((weighed.shape[0], self.components.shape[1]), np.float32)
        for start in range(0, weighed.shape[0], _BLOCK):
            block = weighed[start : start + _BLOCK]
            found[start : start + _BLOCK] = block @ self.components
        told = np.diff(weighed.indptr) > 0
        found[told] -= self.mean
        return normalised(found)


def fit_space(
    bags: Iterable[Bag], *, seed: int = 0, dimensions: int = DIMENSIONS
) -> tuple[Space, np.ndarray]:
    """The space of these texts and their vectors, float32[bags × d] of length 1; zeros without words."""
    from sklearn.decomposition import TruncatedSVD
    from threadpoolctl import threadpool_limits

    counts, vocabulary = _counted(bags)
    n = counts.shape[0]
    frequency = np.bincount(counts.indices, minlength=counts.shape[1])
    chosen = np.flatnonzero((frequency >= 2) & (frequency <= max(COMMON * n, 2)))
    if len(chosen) > VOCABULARY:
        by_words = np.argsort(-frequency[chosen], kind="stable")[:VOCABULARY]
        chosen = chosen[by_words]
    terms = (
        np.array([vocabulary[at].encode() for at in chosen], dtype="S") if len(chosen) else np.zeros(0, "S1")
    )
    order = np.argsort(terms)
    terms, chosen = terms[order], chosen[order]
    idf = (np.log((1 + n) / (1 + frequency[chosen])) + 1).astype(np.float32)
    weighed = _weighed(counts[:, chosen].tocsr(), idf)
    d = min(dimensions, len(chosen) - 1, n - 1)
    if d < 1:
        empty = Space(terms[:0], idf[:0], np.zeros((0, 0), np.float32), np.zeros(0, np.float32))
        return empty, np.zeros((n, 0), np.float32)
    rows = np.arange(n)
    if n > SAMPLE:
        rows = np.sort(np.random.default_rng(seed).choice(n, SAMPLE, replace=False))
    with threadpool_limits(1):
        svd = TruncatedSVD(d, algorithm="randomized", n_iter=5, random_state=seed)
        svd.fit(weighed[rows])
        components = np.ascontiguousarray(svd.components_.T, np.float32)
        told = np.diff(weighed.indptr) > 0
        whole = np.asarray(weighed.sum(axis=0), np.float32).ravel() @ components
        space = Space(terms, idf, components, (whole / max(told.sum(), 1)).astype(np.float32))
        return space, space.place(weighed)


def fit_made(
    vectors: np.ndarray, embedder: str, *, seed: int = 0, dimensions: int = DIMENSIONS
) -> tuple[Space, np.ndarray]:
    """The space of an embedder's vectors, float32[n × e], and where they are in it, float32[n × d].

    Centred, and turned so that the first d dimensions hold as much of them as d can (principal components).
    """
    from threadpoolctl import threadpool_limits

    rows = np.arange(len(vectors))
    if len(rows) > SAMPLE:
        rows = np.sort(np.random.default_rng(seed).choice(len(rows), SAMPLE, replace=False))
    sample = np.array(vectors[rows], np.float32)
    sample[~np.isfinite(sample).all(axis=1)] = 0
    normalised(sample)
    sample = sample[sample.any(axis=1)]
    with threadpool_limits(1):
        mean = sample.mean(axis=0, dtype=np.float64) if len(sample) else np.zeros(vectors.shape[1])
        centred = sample - mean.astype(np.float32)
        found = np.linalg.eigh((centred.T @ centred).astype(np.float64))[1][:, ::-1]
        found = found[:, : min(dimensions, vectors.shape[1])]
        largest = np.abs(found).argmax(axis=0)
        found = found * np.sign(found[largest, np.arange(found.shape[1])])
        components = np.ascontiguousarray(found, np.float32)
        space = Space(
            np.zeros(0, "S1"),
            np.zeros(0, np.float32),
            components,
            (mean @ found).astype(np.float32),
            embedder,
        )
        return space, space.place_made(vectors)


def normalised(vectors: np.ndarray) -> np.ndarray:
    """Each row at length 1, in place; what is next to zero becomes zero."""
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    vectors /= np.maximum(norms, 1e-6)[:, None].astype(np.float32)
    vectors[norms < 1e-6] = 0
    return vectors


def _weighed(counts: csr_matrix, idf: np.ndarray) -> csr_matrix:
    """Sublinear weights times idf, rows at length 1."""
    found = counts.astype(np.float32, copy=True)
    found.data = np.log1p(found.data) * idf[found.indices]
    row = np.repeat(np.arange(found.shape[0]), np.diff(found.indptr))
    norms = np.sqrt(np.bincount(row, found.data.astype(np.float64) ** 2, minlength=found.shape[0]))
    found.data /= np.maximum(norms, 1e-12)[row].astype(np.float32)
    return found


def _counted(bags: Iterable[Bag]) -> tuple[csr_matrix, list[str]]:
    """Rows of weighted words, and the word of each column."""
    known: dict[str, int] = {}
    table = _table(bags, known, grow=True)
    return table, list(known)


def _table(bags: Iterable[Bag], known: dict[str, int], *, grow: bool = False) -> csr_matrix:
    starts: list[int] = [0]
    columns: list[int] = []
    values: list[float] = []
    parts: list[tuple[np.ndarray, np.ndarray]] = []

    def pack() -> None:
        parts.append((np.array(columns, np.int32), np.array(values, np.float32)))
        columns.clear()
        values.clear()

    total = 0
    for bag in bags:
        for word, weight in bag.items():
            at = known.setdefault(word, len(known)) if grow else known.get(word, -1)
            if at >= 0:
                columns.append(at)
                values.append(weight)
        total_now = total + len(columns)
        starts.append(total_now)
        if len(columns) > 1_000_000:
            total = total_now
            pack()
    pack()
    index = np.concatenate([part[0] for part in parts])
    data = np.concatenate([part[1] for part in parts])
    table = csr_matrix((data, index, np.array(starts)), shape=(len(starts) - 1, len(known)))
    table.sort_indices()
    return table
