"""`whyrec bench recall`: top-k, fold-in and opening an artefact against their peers, one thread each."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from evals.bench.factors import FactorSet, flat, generated, of_artefact, texts
from evals.bench.figure import Figure, against
from evals.bench.searches import Search, agreement, good_enough, peers, whyrec
from evals.bench.serving import serving
from recall.artefact import Artefact, write_artefact
from recall.content.space import normalised
from recall.errors import NotFound
from recall.factorize import als_arrays
from recall.foldin import fold_in, gram
from recall.idmap import IdMap
from recall.workspace import Workspace

N, SEEN = 300, 100


def run(
    *, quick: bool, cache: Path, workspace: Workspace | None, progress: Callable[[str], None]
) -> list[Figure]:
    """Every set and peer. The sets of 200,000 and a million items take minutes to train the first time."""
    import implicit  # noqa: F401  # its BLAS has to be loaded before its threads can be limited
    from threadpoolctl import threadpool_limits

    sets = []
    sizes = ((4_000, 16, 3),) if quick else ((200_000, 64, 8), (1_000_000, 64, 5))
    for items, factors, iterations in sizes:
        progress(f"factors of {items:,} generated items")
        sets.append(generated(items, factors=factors, iterations=iterations, cache=cache))
    sets.insert(1, flat(sets[0]))
    current: Path | None = None
    if workspace is not None:
        try:
            current = workspace.models.current()
            sets.insert(0, of_artefact(current))
        except NotFound:
            progress("no artefact in this workspace: its factors are left out")
    figures = []
    with threadpool_limits(1):
        sets.append(texts(4_000 if quick else 1_000_000, cache=cache))
        for given in sets:
            progress(f"one user at a time: {given.name}")
            figures += one_by_one(given, users=20 if quick else 100)
            progress(f"blocks of users: {given.name}")
            figures += in_blocks(given, users=64 if quick else 256, rounds=2 if quick else 5)
        progress("fold-in")
        figures += folding(sets[-2], rounds=50 if quick else 500)
        if current is not None and workspace is not None:
            progress("candidates for people of this workspace")
            figures += serving(workspace, current, people=20 if quick else 400)
    progress("opening an artefact")
    return figures + opening(sets[-2], rounds=3 if quick else 7)


def _people(given: FactorSet, count: int, seed: int) -> tuple[np.ndarray, csr_matrix]:
    """User factors folded in from real histories where there are any, and SEEN seen items for each."""
    rng = np.random.default_rng(seed)
    items = len(given.factors)
    seen_count = min(SEEN, items // 4)
    known = np.flatnonzero(given.factors.any(axis=1))
    system = gram(given.factors, given.config.regularization)
    users = np.zeros((count, given.factors.shape[1]), np.float32)
    seen = []
    for u in range(count):
        if given.matrix is not None:
            row = given.matrix[int(rng.integers(given.matrix.shape[0]))].indices
        else:
            row = rng.choice(known, 20, replace=False)
        if given.texts:
            users[u] = normalised(given.factors[row].mean(axis=0, keepdims=True))[0]
        else:
            users[u] = fold_in(system, given.factors, row, np.full(len(row), given.config.alpha, np.float32))
        more = rng.choice(items, seen_count, replace=False)
        seen.append(np.sort(np.unique(np.r_[row, more])[:seen_count]))
    offsets = np.r_[0, np.cumsum([len(each) for each in seen])].astype(np.int32)
    columns = np.concatenate(seen).astype(np.int32)
    ones = np.ones(len(columns), np.float32)
    return users, csr_matrix((ones, columns, offsets), shape=(count, items))


def _measure(
    name: str,
    searches: dict[str, Search],
    turns: list[tuple[np.ndarray, csr_matrix]],
    factors: np.ndarray,
    n: int,
) -> list[Figure]:
    """Every search answers every turn in the same order; the first turn warms up and is not counted."""
    seconds: dict[str, list[float]] = {label: [] for label in searches}
    agree: dict[str, list[float]] = {label: [] for label in searches}
    checked = set(np.linspace(1, len(turns), min(10, len(turns))).astype(int).tolist())
    for turn, (users, seen) in enumerate([turns[0], *turns]):
        few = slice(0, 2)
        good = good_enough(factors, users[few], seen[few], n) if turn in checked else None
        for label, search in searches.items():
            started = time.process_time()
            rows = search(users, seen)
            taken = time.process_time() - started
            if turn:
                seconds[label].append(taken)
            if rows is not None and good is not None:
                agree[label].append(agreement(good, rows[few], n))
    times = {label: np.array(taken) for label, taken in seconds.items()}
    shares = {label: float(np.mean(found)) for label, found in agree.items() if found}
    return against(name, times.pop("whyrec"), times, shares)


def _half(given: FactorSet) -> bool | None:
    """Whether a float16 copy is kept; None as training decides."""
    return None if given.texts else False


def one_by_one(given: FactorSet, *, users: int) -> list[Figure]:
    n = min(N, len(given.factors) // 4)
    vectors, seen = _people(given, users, seed=1)
    searches = {"whyrec": whyrec(given.factors, n, half=_half(given)), **peers(given.factors, n)}
    searches["whyrec float16"] = whyrec(given.factors, n, half=True)
    turns = [(vectors[u : u + 1], seen[u]) for u in range(users)]
    return _measure(f"top {n}, {given.name}", searches, turns, given.factors, n)


def in_blocks(given: FactorSet, *, users: int, rounds: int) -> list[Figure]:
    n = min(N, len(given.factors) // 4)
    searches = {"whyrec": whyrec(given.factors, n, half=_half(given)), **peers(given.factors, n)}
    turns = [_people(given, users, seed=10 + turn) for turn in range(rounds)]
    return _measure(f"top {n} of {users} users, {given.name}", searches, turns, given.factors, n)


def folding(given: FactorSet, *, rounds: int) -> list[Figure]:
    """Histories of 100 events, against implicit's recalculate_user with its YᵀY cached as well."""
    from implicit.cpu.als import AlternatingLeastSquares

    config, factors = given.config, given.factors
    k = factors.shape[1]
    model = AlternatingLeastSquares(
        k, regularization=config.regularization, alpha=config.alpha, num_threads=1
    )
    model.item_factors = factors
    system = gram(factors, config.regularization)
    rng = np.random.default_rng(4)
    seconds = np.zeros((2, rounds))
    equal = 0
    for turn in range(-1, rounds):
        items = np.sort(rng.choice(len(factors), SEEN, replace=False)).astype(np.int32)
        weights = rng.random(SEEN).astype(np.float32) + 0.5
        row = csr_matrix((weights, items, np.array([0, SEEN])), shape=(1, len(factors)))
        confidence = np.float32(config.alpha) * weights
        started = time.process_time()
        ours = fold_in(system, factors, items, confidence)
        between = time.process_time()
        theirs = model.recalculate_user(0, row)
        ended = time.process_time()
        if turn >= 0:
            seconds[:, turn] = between - started, ended - between
            equal += bool(np.abs(ours - theirs).max() < 1e-4)
    name = f"fold-in of {SEEN} events, {k} factors"
    return against(name, seconds[0], {"implicit": seconds[1]}, {"whyrec": equal / rounds})


def opening(given: FactorSet, *, rounds: int) -> list[Figure]:
    """Opening memory-mapped, sizes and headers checked, against reading the same files into memory."""
    items, k = given.factors.shape
    seconds = np.zeros((2, rounds))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        write_artefact(
            path,
            manifest={
                "build": "bench",
                "reference_time": 0,
                "trained": 0,
                "config": given.config.model_dump(),
                "versions": {},
                "platforms": ("bench",),
            },
            items=IdMap.of([f"i{row:020x}" for row in range(items)]),
            listed=np.ones((1, items), bool),
            arrays={"als": als_arrays(given.factors, given.config)},
        )
        for turn in range(-1, rounds):
            started = time.perf_counter()
            artefact = Artefact.open(path)
            between = time.perf_counter()
            for file in artefact.manifest.files:
                np.load(path / file)
            if turn >= 0:
                seconds[:, turn] = between - started, time.perf_counter() - between
    name = f"opening an artefact of {items:,} × {k}"
    return against(name, seconds[0], {"reading it": seconds[1]}, {})
