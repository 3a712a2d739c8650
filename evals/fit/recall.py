"""The recall blend fitted on validation people: one setting for each source, and weights by segment.

Weights are found for everybody, then for people new to the asking platform and the others, then by history
length; each is moved from the wider one's only as far as its people carry: n / (n + SHRINKAGE).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evals.check import fit
from evals.fit.heldout import HeldOut, validation
from evals.fit.scored import Scored, score
from evals.fit.trees import earned, grow, judged, pool_of
from evals.fit.weigh import Chosen, alone, quality, search
from evals.intervals import bootstrap
from evals.splits import hold_after, last_liked
from recall.aside import Progress
from recall.dataset import Dataset
from recall.errors import DataError
from recall.recallers.tuning import Tuning
from recall.train_config import TrainConfig
from recall.trees import Trees
from recall.weights import SEGMENTS, Fit, Gain, Weights

FEWEST = 20
"""Questions below which nothing is fitted."""
LEAST = 50
"""Questions that a segment needs for weights of its own."""
SHRINKAGE = 100.0
FOLDS = 3
LATE = 0.9
"""Share of the events that a time split learns from."""
CLEARLY = 0.02
"""By so much, as a share, a search that begins elsewhere has to beat the one from what is in use."""
TEXTUAL = ("content", "text-factors")
"""Sources that speak of items' texts: they come in where that gains CLEARLY, and the weights that were found
without them stay, so that they unsettle nothing."""


@dataclass(frozen=True, slots=True)
class Blend:
    """A choice for everybody, and one for each segment (all with the same columns)."""

    default: Chosen
    segments: Mapping[str, Chosen]
    own: frozenset[str]
    """Segments whose weights were looked for among their own people."""

    def totals(self, scored: Scored) -> np.ndarray:
        """float32[p]: every pool's scores with the weights of its question's segment."""
        case = np.repeat(np.arange(len(scored)), np.diff(scored.starts))
        found = np.zeros(scored.scores.shape[1], np.float32)
        names, of = np.unique(scored.segments, return_inverse=True)
        chosen = [self.segments.get(str(name), self.default) for name in names]
        for source, column in self.default.columns.items():
            weights = np.array([each.weights[source] for each in chosen], np.float32)
            if len(weights):
                found += scored.scores[column] * weights[of][case]
        return found


def fit_recall(
    dataset: Dataset,
    config: TrainConfig,
    *,
    split: str,
    moment: int | None = None,
    people: int = 3000,
    seed: int = 0,
    progress: Progress | None = None,
) -> Weights:
    """Fit on questions held out of `dataset`, which must not hold what is tested on later.

    `moment` and `seed` are those of `heldout.validation`; `split` says in words what that is. At most
    `people` are asked. The gain is measured on people left out of the choice, in FOLDS turns.
    DataError where too few can be asked.
    """
    tell = progress or (lambda step, done, all: None)
    held = validation(dataset, people=people, moment=moment, seed=seed)
    if len(held.persons) < FEWEST:
        raise DataError(
            f"build {dataset.build}: {len(held.persons)} people can be asked about what they liked next, at "
            f"least {FEWEST} are needed to fit weights; leave the defaults as they are"
        )
    tell("training without what is held out", 0, 1)
    scored = score(held, fit(held.train, config), progress=lambda *done: tell("asking every source", *done))
    return fit_scored(scored, held, config, split=split, seed=seed, progress=tell)


LAST, TIME = "last", "time"
SPLITS = {
    LAST: "each person's last liked item but one, and newcomers to a platform; the last one is left out",
    TIME: "each person's first like after 81 % of the events, and newcomers to a platform; what comes after "
    "90 % is left out",
}
"""What may be held out to fit on, in words."""


def work(build: Path, config: TrainConfig, split: str, people: int, seed: int, progress: Progress) -> Weights:
    """`fit_recall` on a build, for recall.aside: what tests hold out stays out of all of it."""
    progress("reading the build", 0, 1)
    dataset = Dataset.load(build)
    moment = None
    if split == LAST:
        dataset = last_liked(dataset, seed=seed).train
    else:
        dataset = hold_after(dataset, share_of_time(dataset, LATE), seed=seed).split(dataset).train
        moment = share_of_time(dataset, LATE)
    return fit_recall(
        dataset, config, split=SPLITS[split], moment=moment, people=people, seed=seed, progress=progress
    )


def share_of_time(dataset: Dataset, share: float) -> int:
    """The moment before which so much of the events happened."""
    times = dataset.event_time
    return int(np.quantile(times, share, method="lower")) if len(times) else 0


def fit_scored(
    scored: Scored,
    held: HeldOut,
    config: TrainConfig,
    *,
    split: str,
    seed: int,
    progress: Progress = lambda step, done, all: None,
) -> Weights:
    """The weight file's content from recorded scores."""
    cases = np.arange(len(scored))
    fold = np.random.default_rng(seed).permutation(len(cases)) % FOLDS
    folds = [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(FOLDS)]
    ours, totals = np.zeros(len(cases)), []
    for number, (learnt, rest) in enumerate(folds):
        progress("weighing", number, 2 * FOLDS + 1)
        found = choose(scored, learnt)
        totals.append((found.totals(scored), found.default.columns))
        ours[rest] = scored.ndcg_of(totals[-1][0], rest)
    progress("weighing", FOLDS, 2 * FOLDS + 1)
    blend = choose(scored, cases)
    progress("growing trees", FOLDS + 1, 2 * FOLDS + 1)
    trees, learned = of_trees(scored, blend, folds, totals, seed=seed)
    theirs = scored.ndcg(by_hand(scored).of_columns(), cases)

    def gain(mine: np.ndarray, ours: np.ndarray = ours, theirs: np.ndarray = theirs) -> Gain:
        interval = bootstrap((ours - theirs)[mine], seed=seed)
        return Gain(
            people=len(mine),
            ndcg=round(float(ours[mine].mean()), 5),
            gain=round(interval.mean, 5),
            low=round(interval.low, 5),
            high=round(interval.high, 5),
        )

    settings = {
        k: v for column in blend.default.columns.values() for k, v in scored.columns[column][1].items()
    }
    return Weights(
        tuning=Tuning(**settings),
        default=_rounded(blend.default),
        segments={name: _rounded(chosen) for name, chosen in blend.segments.items()},
        trees=trees,
        fit=Fit(
            build=held.train.build,
            split=split,
            seed=seed,
            train=config.model_dump(),
            all=gain(cases),
            segments={name: gain(np.flatnonzero(scored.segments == name)) for name in sorted(blend.own)},
            trees=None if learned is None else gain(cases, learned, ours),
        ),
    )


def of_trees(
    scored: Scored,
    blend: Blend,
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    totals: Sequence[tuple[np.ndarray, Mapping[str, int]]],
    *,
    seed: int,
) -> tuple[Trees | None, np.ndarray | None]:
    """The trees to use, None where none earned a share; and what they reach on people left out, None where
    there are too few to grow any. `totals` are the sum's scores of what each fold learnt, and its columns."""
    found = judged(scored, folds, totals, seed=seed)
    if found is None:
        return None, None
    new = np.char.endswith(scored.segments, " new")
    groups = [mine for mine in (np.flatnonzero(new), np.flatnonzero(~new)) if len(mine) >= LEAST]
    share, learned = earned(*found, folds, groups, seed=seed)
    if share == 0:
        return None, learned
    cases, columns = np.arange(len(scored)), blend.default.columns
    trees = grow(scored, cases, pool_of(scored, cases, blend.totals(scored), columns), seed=seed)
    return (None if trees is None else trees.model_copy(update={"share": share})), learned


def choose(scored: Scored, cases: np.ndarray) -> Blend:
    """The best columns and weights for these questions; columns by people whom the platform knows.

    What texts say is added last, to a blend that was found without it and stays as it is.
    """
    names = scored.segments[cases]
    new = np.char.endswith(names, " new")
    known = cases[~new] if (~new).sum() >= FEWEST else cases
    columns = alone(scored, known, list(dict.fromkeys(name for name, _ in scored.columns)))
    added = [name for name in columns if name in TEXTUAL]
    hand = by_hand(scored)

    def found(mine: np.ndarray, *starts: Chosen, settings: bool = False) -> Chosen:
        others = [name for name in columns if name not in TEXTUAL]
        tried = [search(scored, mine, one, settings=settings, sources=others) for one in starts]
        best = _best(scored, mine, *tried)
        return search(scored, mine, best, settings=settings, sources=added, entry=CLEARLY) if added else best

    bare = {name: column for name, column in columns.items() if name not in TEXTUAL}
    base = Chosen({**hand.columns} | {name: columns[name] for name in added}, hand.weights)
    default = found(known, base, _single(scored, known, columns, bare), settings=True)
    segments, own = {}, set()
    for group in (False, True):
        mine = cases[new == group]
        wide = default
        if group and len(mine) >= LEAST:
            starts = (
                _bare(default),
                Chosen(default.columns, hand.weights),
                _single(scored, mine, default.columns, bare),
            )
            wide = _moved(found(mine, *starts), default, len(mine))
        for name in SEGMENTS:
            if name.endswith(" new") == group:
                few = cases[names == name]
                segments[name] = wide
                if len(few) >= LEAST:
                    own.add(name)
                    segments[name] = _moved(found(few, wide), wide, len(few))
    return Blend(default, segments, frozenset(own))


def _bare(chosen: Chosen) -> Chosen:
    """Without what texts say, unless nothing else has weight."""
    weights = {name: 0.0 if name in TEXTUAL else weight for name, weight in chosen.weights.items()}
    return Chosen(chosen.columns, weights)


def _single(scored: Scored, cases: np.ndarray, columns: Mapping[str, int], among: Collection[str]) -> Chosen:
    """Nearly all weight on the source that does best alone, one of `among`."""
    best = max(among, key=lambda name: quality(scored, cases, {columns[name]: 1.0}))
    weights = {name: 1.0 if name == best else 0.02 if name in among else 0.0 for name in columns}
    return Chosen(columns, weights)


def _best(scored: Scored, cases: np.ndarray, first: Chosen, *others: Chosen) -> Chosen:
    """The first, unless another is clearly better."""
    best, value = first, quality(scored, cases, first.of_columns()) * (1 + CLEARLY)
    for other in others:
        if (found := quality(scored, cases, other.of_columns())) > value:
            best, value = other, found
    return best


def by_hand(scored: Scored) -> Chosen:
    """The settings and weights that count where nothing was fitted."""
    tuning, weights = Tuning(), Weights().default
    columns = {}
    for at, (name, setting) in enumerate(scored.columns):
        if all(getattr(tuning, key) == value for key, value in setting.items()):
            columns[name] = at
    return Chosen(columns, {name: weights.get(name, 0.0) for name in columns})


def _moved(own: Chosen, wide: Chosen, people: int) -> Chosen:
    """The wider one's weights, moved towards its own as far as its people carry."""
    return wide.moved(own.weights, people / (people + SHRINKAGE))


def _rounded(chosen: Chosen) -> dict[str, float]:
    return {name: round(weight, 4) for name, weight in chosen.weights.items()}
