"""`whyrec eval gate`, `promote` and `ab`: what follows from a comparison."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.eval_run import Declared
from api.cli.options import Config, Json

if TYPE_CHECKING:
    from evals.ab import Served, Share


def gate(
    declared: Declared,
    baseline: Annotated[
        Path,
        typer.Option("--baseline", metavar="FILE", help="What an earlier run reached.", show_default=False),
    ],
    config: Config = None,
    json: Json = False,
    update: Annotated[bool, typer.Option("--update", help="Write this run as the baseline.")] = False,
) -> None:
    """Run, and exit with 1 when an arm is significantly worse than the baseline: for CI.

    Example: whyrec eval gate prompts.toml --baseline prompts.baseline.json
    """
    from api.cli.eval_run import run_declared
    from api.cli.output import console, print_json
    from evals.gate import Baseline
    from evals.gate import gate as judge
    from evals.results import Results
    from recall.errors import DataError

    ended = run_declared(declared, config)
    if ended.stopped:
        raise DataError(f"the run is not whole ({ended.stopped}), so nothing is judged")
    results = Results.load(ended.folder)
    if update:
        Baseline.of(results).save(baseline)
        console(stderr=True).print(f"baseline written: {baseline}", soft_wrap=True)
        return
    verdicts = judge(results, Baseline.load(baseline))
    if json:
        print_json(verdicts)
    else:
        for one in verdicts:
            difference = one.paired.difference
            told = one.why or "passes"
            console().print(
                f"{one.arm}: {difference.mean:+.4f} ({difference.low:+.4f} to {difference.high:+.4f}) on "
                f"{one.paired.people} people: {told}"
            )
    if any(one.why for one in verdicts):
        raise typer.Exit(1)


def promote(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run by name or folder.", show_default=False)],
    arm: Annotated[str, typer.Argument(metavar="ARM", help="The arm that shall serve.", show_default=False)],
    config: Config = None,
    json: Json = False,
    force: Annotated[bool, typer.Option("--force", help="Though its interval reaches 0.")] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why; needed with --force, and kept.")
    ] = None,
) -> None:
    """Make an arm the service's default way to rank, if its interval over `recall` lies above 0.

    What whyrec.toml says in [rank] still goes before it; the file promoted.json in the workspace holds it.

    Example: whyrec eval promote prompts listwise
    """
    from api.cli.output import console, print_json
    from api.settings import load_settings
    from evals.promote import promote as make_default
    from evals.results import Results, find_run
    from recall.errors import ConfigError
    from rerank.promoted import FILE

    if force and not (reason or "").strip():
        raise ConfigError("--force needs --reason TEXT: it is kept beside the promotion")
    workspace = load_settings(config).workspace
    results = Results.load(find_run(workspace, run))
    made = make_default(results, arm, workspace, forced=reason if force else None)
    if json:
        print_json(made)
        return
    console().print(
        f"{arm} of {results.name} is the default now: {made.gain:+.4f} NDCG@10 over recall "
        f"({made.low:+.4f} to {made.high:+.4f}, {made.people} people, model {made.model}); "
        f"kept in {workspace / FILE}, remove it to go back",
        soft_wrap=True,
    )


def ab(
    config: Config = None,
    json: Json = False,
    experiment: Annotated[str | None, typer.Option("--experiment", help="Only this one.")] = None,
    scenario: Annotated[str | None, typer.Option("--scenario", help="Only this one.")] = None,
    control: Annotated[str | None, typer.Option("--control", help="Arm to compare with.")] = None,
    since: Annotated[int, typer.Option("--since", help="Answers from this UTC second on.")] = 0,
) -> None:
    """What served recommendations led to, by arm, with intervals over people.

    Example: whyrec eval ab --experiment wording --control plain
    """
    import asyncio

    from api.cli.output import print_json
    from api.migrations import upgrade
    from api.settings import load_settings
    from evals.ab import judge, load_answers
    from recall.store import open_store
    from recall.workspace import Workspace

    settings = load_settings(config)

    async def whole() -> Served:
        async with open_store(settings.store.resolve(Workspace(settings.workspace).store_file)) as store:
            await upgrade(store)
            answers = await load_answers(store, experiment=experiment, scenario=scenario, since=since)
        return judge(answers, control=control, experiment=experiment, scenario=scenario)

    found = asyncio.run(whole())
    if json:
        print_json(found)
    else:
        _show(found)


def _show(served: Served) -> None:
    from rich.table import Table

    from api.cli.output import console, plain

    out = console()
    table = Table(
        "arm", "people", "answers", "conversion", "clicks", "acceptance", "rating", "detectable", box=None
    )
    for row in served.arms:
        shares = (row.conversion, row.clicks, row.acceptance, row.satisfaction)
        found = "" if row.detectable is None else f"{row.detectable:.3f}"
        table.add_row(plain(row.arm), f"{row.people:,}", f"{row.answers:,}", *map(_cell, shares), found)
    out.print(table)
    if served.ratio_p is not None:
        told = "people were not dealt as planned: trust none of these" if served.suspicious else "as planned"
        out.print(f"sample ratio: p {served.ratio_p:.4f}, {told}")
    out.print(f"second lines: difference to {plain(served.control)}; 95 % intervals over people")


def _cell(share: Share) -> str:
    value, difference = share.value, share.difference
    if value.mean != value.mean:
        return "–"
    text = f"{value.mean:.3f} ({value.low:.3f}, {value.high:.3f})"
    if difference is None or difference.mean != difference.mean:
        return text
    return f"{text}\n{difference.mean:+.3f} ({difference.low:+.3f}, {difference.high:+.3f})"
