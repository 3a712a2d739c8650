"""An arm becomes the service's default, if it has earned it."""

from __future__ import annotations

import time
from pathlib import Path

from evals.arms import arms
from evals.comparison import comparisons
from evals.config import ArmConfig, EvalConfig
from evals.results import Results
from recall.errors import ConfigError, DataError, NotFound
from rerank.config import RankConfig, ReasonsConfig
from rerank.promoted import Promoted


def promote(results: Results, name: str, workspace: Path, *, forced: str | None = None) -> Promoted:
    """Write promoted.json of the workspace.

    DataError unless the arm's interval over `recall` lies above 0 or `forced` says why not; NotFound for an
    arm that the run has not; ConfigError for one that no service could be: another model than the configured
    one, keys of [knowledge] of its own, shuffled or renamed candidates, a fixed row.
    """
    config = EvalConfig.model_validate(results.header["config"])
    declared = {arm.name: arm for arm in arms(config, RankConfig(), ReasonsConfig()) if arm.config}
    if name not in declared:
        raise NotFound(
            f"run {results.name}: no arm {name!r} of a model; have {', '.join(declared) or 'none'}"
        )
    arm = declared[name].config
    assert arm is not None
    _servable(arm)
    row = next(one for one in comparisons([results])[0].arms if one.name == name)
    if row.against is None or row.against.paired.people == 0:
        raise DataError(f"arm {name!r}: nobody was answered, so nothing is known of it")
    gain = row.against.paired.difference
    if gain.low <= 0 and not forced:
        raise DataError(
            f"arm {name!r}: NDCG@10 over recall is {gain.mean:+.4f}, 95 % {gain.low:+.4f} to "
            f"{gain.high:+.4f} on {row.against.paired.people} people: not above 0. To do it all the same: "
            "--force --reason TEXT"
        )
    rank = {"method": arm.method, "prompt": arm.prompt, "weight": arm.weight, **arm.rank}
    made = Promoted(
        rank={key: value for key, value in rank.items() if value is not None},
        run=results.name,
        arm=name,
        model=row.model or "none",
        people=row.against.paired.people,
        gain=gain.mean,
        low=gain.low,
        high=gain.high,
        forced=None if gain.low > 0 else forced,
        at=int(time.time()),
    )
    made.save(workspace)
    return made


def _servable(arm: ArmConfig) -> None:
    if arm.model != "default":
        raise ConfigError(
            f"arm {arm.name!r} asks the model {arm.model!r}: put its table into [llm] of whyrec.toml, run "
            "the evaluation with it as the default model, and promote that arm"
        )
    if arm.knowledge:
        keys = ", ".join(sorted(arm.knowledge))
        raise ConfigError(
            f"arm {arm.name!r} has its own {keys} of [knowledge], and only keys of [rank] are promoted: set "
            "them in whyrec.toml, run the evaluation without them in the arm, and promote that one"
        )
    if arm.shuffle or arm.rename:
        raise ConfigError(f"arm {arm.name!r} shuffles or renames candidates, which no service does")
