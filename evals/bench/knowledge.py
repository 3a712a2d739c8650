"""`whyrec bench knowledge`: what items' texts and facts, the map to ALS factors and trees bring to recall.

On the current build: people new to a platform whose catalogue shares no item with the one that they come from
(items dealt by genre), each person's last liked item with all history there, and items that nobody had, put
in order among themselves. The parts are added one by one; every choice is made on validation people inside
what a test leaves over. No language model takes part, but for the facts of a snapshot, if the build has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from evals.bench.figure import Figure
from evals.bench.quality import Quality, figures_of, judge, of_blend, of_source, over
from evals.check import fit
from evals.dealt import deal_by_genre, undecayed
from evals.fit.budget import Tuned, tune_both
from evals.fit.heldout import HeldOut, held_newcomers, held_out, hold_newcomers, validation
from evals.fit.recall import SPLITS, fit_scored
from evals.fit.scored import score
from evals.intervals import bootstrap
from evals.splits import hold_last, keep_events
from recall.attributes import Tags, attributes
from recall.content.texts import WEIGHTS as FIELDS
from recall.dataset import Dataset
from recall.errors import NotFound
from recall.factorize import fit_als
from recall.mixture import Mixture
from recall.recallers import open_recaller, open_recallers
from recall.recallers.tuning import Tuning
from recall.train_config import TrainConfig
from recall.types import LIKE
from recall.weights import Weights
from recall.workspace import Workspace

SEED = 7
PLAIN, POPULAR = "plain ALS, tuned", "popular"
WITHOUT = "without content"
PARTS: Mapping[str, tuple[str, ...]] = {
    WITHOUT: ("content", "text-factors"),
    "with content": ("text-factors",),
    "with text-factors": ("content",),
    "with both": (),
}
"""Each arm and the sources that it lacks."""
TREES, SUM_TREES = "with both and trees", "without content, trees"
FACTLESS = "with both, without facts"
NOBODY_SHARE, NOBODY_LEAST = 0.2, 5
"""Of the items that so many people or more liked, this share is hidden from everybody."""


def run(
    *, quick: bool, cache: Path, workspace: Workspace | None, progress: Callable[[str], None]
) -> list[Figure]:
    """Figures of all arms in all three worlds."""
    if workspace is None:
        raise NotFound("knowledge needs a workspace with a build; run `whyrec ingest` first")
    build = workspace.builds.current()
    dataset = Dataset.load(build)
    people, trials = (150, 2) if quick else (1000, 4)
    dealt = deal_by_genre(dataset, Tags.open(attributes(build, dataset), "categories"))
    figures = []
    tests = {
        "new to a platform, disjoint catalogues": held_newcomers(
            dealt, hold_newcomers(dealt, share=0.5, seed=SEED)
        ),
        "last liked item, all history": held_out(dataset, hold_last(dataset, seed=SEED)),
    }
    for name, test in tests.items():
        figures += ablation(name, test.sample(people, SEED), people=people, trials=trials, progress=progress)
    return figures + untouched(dataset, people=people, progress=progress)


def ablation(
    name: str, test: HeldOut, *, people: int, trials: int, progress: Callable[[str], None]
) -> list[Figure]:
    """Every arm on the test's people, beside popularity, plain ALS and the best single source."""
    name = f"{name}, {len(test.persons):,} people"
    small = validation(test.train, people=min(people, 600), seed=SEED)
    progress(f"{name}: {trials} settings of ALS")
    tuned = tune_both(small, TrainConfig(), trials=trials, seed=SEED)
    held = validation(test.train, people=people, seed=SEED)
    found = _arms(name, test, held, tuned, progress)
    if has_facts(test.train):
        found[FACTLESS] = _factless(name, test, held, tuned, progress)
    sources = open_recallers(fit(test.train, tuned.blend), Tuning())
    single = {source: of_source(test, each) for source, each in sources.items()}
    plain = open_recaller("als", {"als": fit_als(undecayed(test.train), tuned.plain)}, Tuning(recency=0))
    peers = {PLAIN: of_source(test, plain), **single}
    best = max(peers, key=lambda source: peers[source].ndcg.mean())
    figures = figures_of(name, peers | found, seed=SEED)
    for arm, quality in found.items():
        for peer in dict.fromkeys((WITHOUT, best)):
            theirs = found.get(peer) or peers[peer]
            if arm != peer:
                figures.append(over(name, quality, peer, theirs, method=arm, seed=SEED))
    return figures


def _arms(
    name: str, test: HeldOut, held: HeldOut, tuned: Tuned, progress: Callable[[str], None]
) -> dict[str, Quality]:
    progress(f"{name}: asking every source")
    scored = score(held, fit(held.train, tuned.blend))
    arrays = fit(test.train, tuned.blend)
    found = {}

    def ask(arm: str, weights: Weights) -> None:
        progress(f"{name}: {arm}: {weights.default}, new {weights.segments.get('20+ new')}")
        found[arm] = of_blend(test, Mixture(open_recallers(arrays, weights.tuning), weights))

    for arm, lacks in PARTS.items():
        weights = fit_scored(scored.without(*lacks), held, tuned.blend, split=SPLITS["last"], seed=SEED)
        ask(arm, weights.model_copy(update={"trees": None}))
        if weights.fit is not None and weights.fit.trees is not None:
            progress(f"{name}: {arm}: trees on validation people {weights.fit.trees}")
        if weights.trees is not None and arm in (WITHOUT, "with both"):
            ask(SUM_TREES if arm == WITHOUT else TREES, weights)
    return found


def _factless(
    name: str, test: HeldOut, held: HeldOut, tuned: Tuned, progress: Callable[[str], None]
) -> Quality:
    """Content and text-factors of the items' own texts alone."""
    progress(f"{name}: without facts")
    held, test = (
        replace(held, train=without_facts(held.train)),
        replace(test, train=without_facts(test.train)),
    )
    scored = score(held, fit(held.train, tuned.blend))
    weights = fit_scored(scored, held, tuned.blend, split=SPLITS["last"], seed=SEED)
    weights = weights.model_copy(update={"trees": None})
    arrays = fit(test.train, tuned.blend)
    return of_blend(test, Mixture(open_recallers(arrays, weights.tuning), weights))


def untouched(dataset: Dataset, *, people: int, progress: Callable[[str], None]) -> list[Figure]:
    """Items hidden from everybody, ranked among themselves for those who liked one; beside chance."""
    test = hold_items(dataset, share=NOBODY_SHARE, least=NOBODY_LEAST, seed=SEED).sample(people, SEED)
    hidden = int(test.train.listed.any(axis=0).sum())
    name = f"items that nobody had, {hidden:,} items, {len(test.persons):,} people"
    progress(name)
    figures = []
    chance = np.array([by_chance(test, case) for case in range(len(test.persons))])
    found = _by_texts(test)
    if has_facts(dataset):
        bare = _by_texts(replace(test, train=without_facts(test.train)))
        for source, quality in bare.items():
            figures.append(
                over(name, found[source], f"{source}, without facts", quality, method=source, seed=SEED)
            )
        found |= {f"{source}, without facts": quality for source, quality in bare.items()}
    for source, quality in found.items():
        figures += figures_of(name, {source: quality}, seed=SEED)
        gain = bootstrap(quality.hit - chance, seed=SEED)
        ratio = float(quality.hit.mean() / chance.mean()) if chance.any() else None
        value, low, high = (round(each, 4) for each in (gain.mean, gain.low, gain.high))
        figures.append(
            Figure(f"{name}: {source} over it", value, "HR@10", "chance", ratio, low=low, high=high)
        )
    return figures


def _by_texts(test: HeldOut) -> dict[str, Quality]:
    sources = open_recallers(fit(test.train, TrainConfig()), Tuning())
    return {
        source: judge(test, lambda case, each=sources[source]: each.scores(test.query(case), 10)[0])  # type: ignore[misc]
        for source in ("content", "text-factors")
    }


def has_facts(dataset: Dataset) -> bool:
    """Whether its build has a snapshot of extracted facts."""
    return dataset.texts is not None and dataset.texts.knowledge is not None


def without_facts(dataset: Dataset) -> Dataset:
    """The same with the items' own texts alone."""
    if dataset.texts is None:
        return dataset
    return replace(dataset, texts=replace(dataset.texts, fields=frozenset(FIELDS) - {"facts"}))


def hold_items(dataset: Dataset, *, share: float, least: int, seed: int) -> HeldOut:
    """Everybody's events with a share of the items that `least` people or more liked are held out; only these
    are listed. Asked are those who liked one of them and still like something, on the platform where they
    liked it first."""
    liked = (dataset.event_polarity == LIKE) & (dataset.event_weight > 0)
    wide = np.int64(max(len(dataset.items), 1))
    pairs = np.unique(dataset.event_person[liked].astype(np.int64) * wide + dataset.event_item[liked])
    count = np.bincount(pairs % wide, minlength=len(dataset.items))
    possible = np.flatnonzero(count >= least)
    drawn = np.random.default_rng(seed).permutation(possible)[: round(share * len(possible))]
    hidden = np.zeros(len(dataset.items), bool)
    hidden[drawn] = True
    away = hidden[dataset.event_item]
    train = replace(keep_events(dataset, ~away), listed=dataset.listed & hidden)
    left = np.bincount(dataset.event_person[liked & ~away], minlength=len(dataset.persons))
    at = np.flatnonzero(liked & away & (left[dataset.event_person] > 0))
    person, platform, item = dataset.event_person[at], dataset.event_platform[at], dataset.event_item[at]
    heads = np.flatnonzero(np.r_[True, person[1:] != person[:-1]][: len(person)])
    asked = platform[heads]
    mine = np.repeat(asked, np.diff(np.r_[heads, len(person)])) == platform
    keys = np.unique(person[mine].astype(np.int64) * wide + item[mine])
    person, item = keys // wide, keys % wide
    heads = np.flatnonzero(np.r_[True, person[1:] != person[:-1]][: len(person)])
    starts = np.r_[heads, len(person)].astype(np.int64)
    return HeldOut(train, person[heads].astype(np.int32), asked, starts, item.astype(np.int32))


def by_chance(test: HeldOut, case: int, k: int = 10) -> float:
    """Probability that one of the case's targets is among k items drawn from what may be proposed."""
    query = test.query(case)
    assert query.allowed is not None
    open_items = int(query.allowed.sum()) - int(query.allowed[query.exclude].sum())
    targets = len(test.wanted(case))
    missed = 1.0
    for drawn in range(min(k, open_items)):
        missed *= max(open_items - targets - drawn, 0) / (open_items - drawn)
    return 1.0 - missed
