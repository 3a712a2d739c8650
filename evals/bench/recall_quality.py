"""`whyrec bench recall-quality`: what popularity, plain ALS, each recaller and the blend find of what people
liked next, on the current build of the workspace.

Every choice (ALS settings, half-lives, weights) is made on validation people inside what a test leaves over.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from evals.bench.figure import Figure
from evals.bench.fusing import fusing
from evals.bench.quality import figures_of, of_blend, of_source, over
from evals.check import fit
from evals.dealt import deal_by_genre, undecayed
from evals.fit.budget import tune_both
from evals.fit.heldout import HeldOut, held_newcomers, held_out, hold_newcomers, validation
from evals.fit.recall import LATE, fit_recall, share_of_time
from evals.splits import hold_after, hold_last
from recall.attributes import Tags, attributes
from recall.dataset import Dataset
from recall.errors import NotFound
from recall.factorize import fit_als
from recall.mixture import Mixture
from recall.recallers import open_recallers
from recall.recallers.als import Als
from recall.recallers.tuning import Tuning
from recall.train_config import TrainConfig
from recall.weights import Weights
from recall.workspace import Workspace

SEED = 7
PLAIN, BLEND, BY_HAND = "plain ALS, tuned", "blend", "blend, weights by hand"


def run(
    *, quick: bool, cache: Path, workspace: Workspace | None, progress: Callable[[str], None]
) -> list[Figure]:
    """Last liked item, global time split, newcomers to a platform, and what fusing brings."""
    if workspace is None:
        raise NotFound("recall-quality needs a workspace with a build; run `whyrec ingest` first")
    build = workspace.builds.current()
    dataset = Dataset.load(build)
    people, trials = (150, 2) if quick else (2000, 8)
    moment = share_of_time(dataset, LATE)
    dealt = deal_by_genre(dataset, Tags.open(attributes(build, dataset), "categories"))
    early = hold_after(dataset, moment, seed=SEED)
    tests = {
        "last liked item": (held_out(dataset, hold_last(dataset, seed=SEED)), None),
        "time split": (held_out(dataset, early), share_of_time(early.split(dataset).train, LATE)),
        "new to a platform": (held_newcomers(dealt, hold_newcomers(dealt, share=0.5, seed=SEED)), None),
    }
    figures = []
    for name, (test, inner) in tests.items():
        figures += compare(
            name, test.sample(people, SEED), inner, people=people, trials=trials, progress=progress
        )
    if len(dataset.platforms) > 1:
        figures += fusing(tests["last liked item"][0].sample(people, SEED), progress=progress)
    return figures


def compare(
    name: str,
    test: HeldOut,
    moment: int | None,
    *,
    people: int,
    trials: int,
    progress: Callable[[str], None],
) -> list[Figure]:
    """Tune on validation people of the test's training part, then ask about the test's people, once."""
    name = f"{name}, {len(test.persons):,} people"
    held = validation(test.train, people=min(people, 600), moment=moment, seed=SEED)
    base = TrainConfig()
    progress(f"{name}: {trials} settings of ALS, twice each, on {len(held.persons):,} validation people")
    tuned = tune_both(held, base, trials=trials, seed=SEED)
    for which, config in (("plain", tuned.plain), ("blend", tuned.blend)):
        chosen = (config.factors, config.regularization, config.alpha)
        progress(f"{name}: {which} has factors {chosen[0]}, regularization {chosen[1]}, alpha {chosen[2]}")
    progress(f"{name}: weights of the blend")
    weights = fit_recall(
        test.train, tuned.blend, split=name, moment=moment, people=min(people, 2000), seed=SEED
    )
    progress(f"{name}: {weights.tuning} {weights.default}")
    progress(f"{name}: asking")
    arrays = fit(test.train, tuned.blend)
    plain = Als(fit_als(undecayed(test.train), tuned.plain), Tuning(recency=0))
    found = {PLAIN: of_source(test, plain)}
    sources = open_recallers(arrays, weights.tuning)
    found |= {source: of_source(test, each) for source, each in sources.items()}
    best = max(sources, key=lambda source: found[source].ndcg.mean())
    by_hand = Weights()
    usual = open_recallers(arrays, by_hand.tuning)
    found[BLEND] = of_blend(test, Mixture(sources, weights))
    found[BY_HAND] = of_blend(test, Mixture(usual, by_hand))
    figures = figures_of(name, found, seed=SEED)
    for peer in dict.fromkeys((PLAIN, best, BY_HAND)):
        figures.append(over(name, found[BLEND], peer, found[peer], seed=SEED))
    return figures
