"""The peers of the top-k search, each as one function: factors once, then users and seen items.

All look for the n best unseen items on one thread. faiss can't exclude items cheaply, so it is asked for
n + |seen| and the seen ones are cut away; the bare product finds nothing and is the floor of a full scan.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from recall.topk import FactorIndex, top_k, top_k_block

Search = Callable[[np.ndarray, csr_matrix], np.ndarray | None]
"""(users float32[u × k], their seen items u × items) → item rows [u × n], best first; None: finds nothing."""


def whyrec(factors: np.ndarray, n: int, *, half: bool | None = False) -> Search:
    index = FactorIndex.build(factors, half=half)

    def search(users: np.ndarray, seen: csr_matrix) -> np.ndarray:
        if len(users) == 1:
            return top_k(index, users[0], n, seen.indices)[0][None]
        return top_k_block(index, users, n, (seen.indptr, seen.indices))[0]

    return search


def implicit(factors: np.ndarray, n: int) -> Search:
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(factors.shape[1], num_threads=1)
    model.item_factors = factors

    def search(users: np.ndarray, seen: csr_matrix) -> np.ndarray:
        model.user_factors = users
        rows: np.ndarray = model.recommend(np.arange(len(users)), seen, N=n)[0]
        return rows

    return search


def argpartition(factors: np.ndarray, n: int) -> Search:
    def search(users: np.ndarray, seen: csr_matrix) -> np.ndarray:
        found = np.empty((len(users), n), np.int64)
        for u in range(len(users)):
            scores = factors @ users[u]
            scores[seen.indices[seen.indptr[u] : seen.indptr[u + 1]]] = -np.inf
            best = np.argpartition(scores, -n)[-n:]
            found[u] = best[np.argsort(-scores[best])]
        return found

    return search


def bare_product(factors: np.ndarray, n: int) -> Search:
    def search(users: np.ndarray, seen: csr_matrix) -> None:
        np.matmul(users, factors.T)

    return search


def faiss_index(factors: np.ndarray, n: int, *, half: bool) -> Search:
    import faiss

    faiss.omp_set_num_threads(1)
    k = factors.shape[1]
    if half:
        index: Any = faiss.IndexScalarQuantizer(k, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        index.train(factors)
    else:
        index = faiss.IndexFlatIP(k)
    index.add(factors)

    def search(users: np.ndarray, seen: csr_matrix) -> np.ndarray:
        most = int(np.diff(seen.indptr).max())
        rows = index.search(users, n + most)[1]
        found = np.empty((len(users), n), np.int64)
        for u in range(len(users)):
            mine = seen.indices[seen.indptr[u] : seen.indptr[u + 1]]
            found[u] = rows[u][~np.isin(rows[u], mine)][:n]
        return found

    return search


def peers(factors: np.ndarray, n: int) -> dict[str, Search]:
    """Those that are installed, by name."""
    found = {
        "implicit": implicit(factors, n),
        "numpy argpartition": argpartition(factors, n),
        "bare product": bare_product(factors, n),
    }
    if find_spec("faiss"):
        found["faiss flat"] = faiss_index(factors, n, half=False)
        found["faiss fp16"] = faiss_index(factors, n, half=True)
    return found


def good_enough(factors: np.ndarray, users: np.ndarray, seen: csr_matrix, n: int) -> np.ndarray:
    """bool[u × items]: the unseen items as good as the true n-th, summed in float64.

    Scores within 10⁻⁶ of the largest possible one (‖user‖ · largest norm) of it count as ties.
    """
    longest = float(np.sqrt(np.einsum("ij,ij->i", factors, factors).max()))
    good = np.empty((len(users), len(factors)), bool)
    for u, user in enumerate(users):
        exact = np.einsum("ij,j->i", factors, user, dtype=np.float64, casting="same_kind")
        exact[seen.indices[seen.indptr[u] : seen.indptr[u + 1]]] = -np.inf
        good[u] = exact >= np.partition(exact, -n)[-n] - 1e-6 * longest * np.linalg.norm(user)
    return good


def agreement(good: np.ndarray, rows: np.ndarray, n: int) -> float:
    """Share of the n places of each user that hold a distinct item of `good_enough`."""
    found = sum(int(good[u, np.unique(mine[mine >= 0])].sum()) for u, mine in enumerate(rows))
    return found / (n * len(rows))
