"""`whyrec eval fusion`, `example` and `demo`: studies that need no configuration of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import Config, Json

if TYPE_CHECKING:
    from evals.fusion import Study


def example() -> None:
    """Print an evaluation to begin with.

    Example: whyrec eval example > prompts.toml
    """
    import evals.demo

    typer.echo((Path(evals.demo.__file__).parent / "example.toml").read_text(encoding="utf-8"), nl=False)


def fusion(
    platform: Annotated[
        str, typer.Argument(metavar="PLATFORM", help="Whose likes are held out.", show_default=False)
    ],
    config: Config = None,
    json: Json = False,
    declared: Annotated[
        Path | None,
        typer.Option("--eval", metavar="CONFIG", help="An evaluation whose arms rank in every state."),
    ] = None,
    people: Annotated[int, typer.Option("--people", min=10, help="At most so many.")] = 1000,
    split: Annotated[str, typer.Option("--split", help="time or last.")] = "time",
    seed: Annotated[int, typer.Option("--seed")] = 0,
) -> None:
    """What the other platforms are worth to one: alone, with each, all, unlinked, wrong links, no masks.

    Example: whyrec eval fusion stream --config demo/whyrec.toml
    """
    import asyncio

    from api.cli.output import console, print_json
    from api.settings import load_settings
    from evals.config import CasesConfig, EvalConfig, load_config
    from evals.fusion import study
    from recall.errors import ConfigError

    if split not in ("time", "last"):
        raise ConfigError(f"--split {split}: time or last")
    chosen = CasesConfig.model_validate({"split": split, "people": people, "seed": seed})
    evaluation = load_config(declared) if declared else EvalConfig(name="fusion", cases=chosen, seed=seed)
    notes = console(stderr=True)
    found = asyncio.run(study(load_settings(config), evaluation, platform, step=notes.print))
    if json:
        print_json(found)
    else:
        _show(found)


def _show(study: Study) -> None:
    from rich.table import Table

    from api.cli.output import console, plain

    out = console()
    arms = list(study.rows[0].arms)
    table = Table(
        "state", "people", "NDCG@10", "HR@100", "− alone (95 %)", "p", *arms, box=None, pad_edge=False
    )
    for row in study.rows:
        gain = row.difference
        told = ("", "")
        if gain is not None:
            low, high = gain.difference.low, gain.difference.high
            told = (f"{gain.difference.mean:+.4f} ({low:+.4f}, {high:+.4f})", f"{gain.p:.4f}")
        ndcg = f"{row.ndcg.mean:.4f} ({row.ndcg.low:.4f}, {row.ndcg.high:.4f})"
        ranked = [f"{row.arms[name].mean:.4f}" for name in arms]
        table.add_row(plain(row.state), f"{row.people:,}", ndcg, f"{row.hit_rate.mean:.3f}", *told, *ranked)
    out.print(table)
    out.print(
        f"recall's own order of the catalogue; likes held out on {plain(study.platform)}, "
        f"split {study.split}, seed {study.seed}, build {study.build}",
        soft_wrap=True,
    )


def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where data and reports go.")] = Path(
        "eval-demo"
    ),
    movietweetings: Annotated[
        Path,
        typer.Option("--movietweetings", help="A MovieTweetings snapshot; without it that part is left out."),
    ] = Path("../shared/data/movietweetings-100k"),
) -> None:
    """Three prompts for the embedded model on two data sets, with a report: takes an hour on two cores.

    Cut off, the same command goes on where it ended.

    Example: whyrec eval demo eval-demo
    """
    import evals.demo
    from api.cli.eval_run import run_declared, show
    from api.cli.output import console
    from api.settings import load_settings
    from evals.cells import markdown
    from evals.comparison import comparisons
    from evals.demo.movietweetings import write_movietweetings
    from evals.report import write_report
    from evals.results import Results
    from recall.sample import make_sample

    here, err = Path(evals.demo.__file__).parent, console(stderr=True)
    make_sample(folder / "sample", progress=lambda step: err.print(f"{step} …"))
    names = ["sample"]
    if (movietweetings / "ratings.dat").exists():
        if not (folder / "movietweetings" / "whyrec.toml").exists():
            write_movietweetings(movietweetings, folder / "movietweetings")
        names.append("movietweetings")
    else:
        err.print(f"no MovieTweetings in {movietweetings}: that part is left out", soft_wrap=True)
    found, runs = [], []
    for name in names:
        config = folder / name / "whyrec.toml"
        if not (load_settings(config).workspace / "builds" / "CURRENT").exists():
            _ingest(config)
        ended = run_declared(here / f"{name}.toml", config)
        results = Results.load(ended.folder)
        runs.append(results)
        found += comparisons([results])
        show(found[-1])
    write_report(folder / "report.html", found, runs)
    (folder / "report.md").write_text("\n".join(markdown(one) for one in found), encoding="utf-8")
    console().print(f"report: {folder / 'report.html'}", soft_wrap=True)


def _ingest(config: Path) -> None:
    """Merge, as `whyrec ingest` does."""
    from api.cli.ingest import ingest

    ingest(config=config)
