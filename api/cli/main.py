"""The `whyrec` command: a visible table of commands, each loaded only when it is called.

A command's module imports typer, api.cli.options and nothing heavy at its top (numpy included), so that
`whyrec --help` and every `whyrec NAME --help` answer in half a second.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from recall.errors import WhyrecError

if TYPE_CHECKING:
    from typer._click import Command, Context

START, DATA, MODEL, EVALUATE, OPERATE = "Start", "Data", "Model", "Evaluate", "Operate"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of `whyrec --help`.

    `target` is "module:name" of a function (one command) or a typer.Typer (a group of commands).
    """

    name: str
    target: str
    panel: str
    help: str

    def load(self) -> Command:
        module, _, attribute = self.target.partition(":")
        target = getattr(import_module(module), attribute)
        if isinstance(target, typer.Typer):
            command: Command = get_group(target)
        else:
            single = typer.Typer(add_completion=False)
            single.command()(target)
            command = get_command(single)
        command.name = self.name
        return command


COMMANDS: tuple[Entry, ...] = (
    Entry("demo", "api.cli.demo:demo", START, "Sample data, merge, train, explained recommendations."),
    Entry("recommend", "api.cli.recommend:recommend", START, "Recommend to one person, with reasons."),
    Entry("data", "api.cli.data:app", DATA, "Sample data to try whyrec with."),
    Entry("ingest", "api.cli.ingest:ingest", DATA, "Merge the platforms' data into one build."),
    Entry("links", "api.cli.links:app", DATA, "Who is the same person and what the same item, by hand."),
    Entry("consent", "api.cli.consent:app", DATA, "Which of a person's platforms may serve which."),
    Entry("train", "api.cli.train:train", MODEL, "Fit the recallers on the merged data."),
    Entry("extract", "api.cli.extract:app", MODEL, "Knowledge about items and people, read by the model."),
    Entry("knowledge", "api.cli.knowledge:app", MODEL, "What was extracted: show, export, forget."),
    Entry("models", "api.cli.models:app", MODEL, "The trained artefacts, and which of them serves."),
    Entry("fit", "api.cli.fit:app", MODEL, "The blends' weights, by what held-out choices say."),
    Entry("eval", "api.cli.eval:app", EVALUATE, "Compare prompts, methods and models on held-out choices."),
    Entry("probe", "api.cli.probe:app", EVALUATE, "What the model's order depends on that it should not."),
    Entry("bench", "api.cli.bench:bench", EVALUATE, "Speed against peers, on this machine."),
    Entry("prompts", "api.cli.prompts:app", MODEL, "What a model is told: list, show, render."),
    Entry("llm", "api.cli.llm:app", MODEL, "Language models: bring one, check one, serve one."),
    Entry("serve", "api.cli.serve:serve", OPERATE, "Answer over HTTP."),
    Entry("doctor", "api.cli.doctor:doctor", OPERATE, "What is wrong, and what to do."),
    Entry("config", "api.cli.config:app", OPERATE, "What is configured, and where it comes from."),
    Entry("keys", "api.cli.keys:app", OPERATE, "Who may ask the service: make, list, revoke keys."),
)
"""In the order of the help page. A line goes in together with its module, for example:
Entry("train", "api.cli.train:train", MODEL, "Fit the recallers on the merged data.")."""


class Commands(TyperGroup):
    """A group that shows COMMANDS and imports only the one that is called."""

    def list_commands(self, ctx: Context) -> list[str]:
        return [entry.name for entry in COMMANDS]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """What the help page lists: name, line and panel, without importing the module."""
        entry = _entry(cmd_name)
        if entry is None:
            return None
        return TyperCommand(entry.name, help=entry.help, rich_help_panel=entry.panel, rich_markup_mode="rich")

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[Any, Any, list[str]]:
        self.commands = {entry.name: None for entry in COMMANDS}  # type: ignore[misc]  # for "did you mean"
        name, command, rest = super().resolve_command(ctx, args)
        entry = _entry(name) if name else None
        return name, entry.load() if entry else command, rest

    def invoke(self, ctx: Context) -> Any:
        """An error that whyrec raises on purpose is one message on stderr and exit code 1."""
        try:
            return super().invoke(ctx)
        except WhyrecError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from error


def _entry(name: str) -> Entry | None:
    return next((entry for entry in COMMANDS if entry.name == name), None)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"whyrec {version('whyrec')}")
        raise typer.Exit


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def whyrec(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Explained recommendations from everything a person did, on every platform.

    ALS finds, a language model orders and says why; every reason points at the events it rests on.
    Begin with `whyrec demo`.
    """


def run(args: Sequence[str] | None = None) -> None:
    """The entry point: runs one command and exits."""
    app(args=list(args) if args is not None else sys.argv[1:], prog_name="whyrec")
