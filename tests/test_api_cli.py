from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from api.cli import main
from api.cli.output import print_json
from recall.errors import DataError

ROOT = Path(__file__).parents[1]

probe = typer.Typer()


@probe.command()
def fails() -> None:
    raise DataError("steam.csv: no column 'playtime'; found 'hours'")


@probe.command()
def waits() -> None:
    print("waiting", flush=True)
    time.sleep(30)


PROBE = main.Entry("probe", f"{__name__}:probe", main.OPERATE, "For these tests.")


@pytest.mark.parametrize("entry", main.COMMANDS, ids=lambda entry: entry.name)
def test_every_command_loads_and_explains_itself(entry: main.Entry) -> None:
    command = entry.load()
    inner = getattr(command, "commands", None) or {entry.name: command}
    for name, each in inner.items():
        assert each.help, f"{entry.name} {name} has no help"
        assert "whyrec" in f"{each.help} {each.epilog}", f"{entry.name} {name}: its help gives no example"


def test_every_command_stands_in_a_known_panel_with_a_line_of_help() -> None:
    panels = {main.START, main.DATA, main.MODEL, main.EVALUATE, main.OPERATE}
    assert all(entry.panel in panels and entry.help.endswith(".") for entry in main.COMMANDS)
    assert len({entry.name for entry in main.COMMANDS}) == len(main.COMMANDS)


def test_help_lists_every_command() -> None:
    shown = CliRunner().invoke(main.app, ["--help"]).output
    assert all(f" {entry.name} " in shown for entry in main.COMMANDS)


def test_an_error_of_ours_is_one_message_on_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "COMMANDS", (PROBE,))
    done = CliRunner().invoke(main.app, ["probe", "fails"])
    assert done.exit_code == 1
    assert done.stderr == "error: steam.csv: no column 'playtime'; found 'hours'\n"
    assert done.stdout == ""


def test_a_misspelt_command_gets_the_nearest_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "COMMANDS", (PROBE,))
    done = CliRunner().invoke(main.app, ["prob"])
    assert done.exit_code == 2 and "Did you mean 'probe'?" in done.stderr


def test_ctrl_c_ends_a_command_without_a_traceback() -> None:
    code = (
        "from api.cli import main; from tests.test_api_cli import PROBE; "
        "main.COMMANDS = (PROBE,); main.run(['probe', 'waits'])"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert child.stdout is not None and child.stdout.readline() == "waiting\n"
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=10)
    assert child.returncode == 130
    assert "Traceback" not in errors


def test_json_output_survives_what_titles_may_hold(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"title": "a\udc80 漢 [bold]", "score": float("nan"), "path": Path("x")})
    assert capsys.readouterr().out == (
        '{\n  "title": "a\\udc80 漢 [bold]",\n  "score": null,\n  "path": "x"\n}\n'
    )
