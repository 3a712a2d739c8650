"""`whyrec fit rank` and `whyrec probe` as a shell runs them; the model over real HTTP turns lists round."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.openai_server import Running, openai_server
from tests.whole import FILMS, PEOPLE, whyrec, write_platforms


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two platforms, with six more liked films for everybody of the cinema."""
    folder = tmp_path_factory.mktemp("fit")
    made = write_platforms(folder)
    with (folder / "ratings.csv").open("a") as file:
        for who in range(PEOPLE):
            for step in range(6):
                film = (5 * who + (3 + who % 4) * step) % len(FILMS)
                file.write(f"u{who},c{film},5,{1_700_600_000 + 86_400 * step + who}\n")
    for command in ("ingest", "train"):
        assert whyrec(command, "-c", made).exit_code == 0
    return made


def test_a_model_that_only_turns_lists_round_gets_weight_zero_and_is_served_with_it(config: Path) -> None:
    with openai_server() as server:
        environment = {"OPENAI_BASE_URL": server.url}
        command = ("fit", "rank", "--people", "40", "--least", "20", "--config", config)
        done = whyrec(*command, "--json", **environment)
        assert done.exit_code == 0, done.output
        fit = json.loads(done.stdout)
        assert fit["people"] == 40 and fit["failed"] == 0
        assert fit["segments"]["all"]["weight"] == 0.0
        assert fit["quality"]["0.0"] > fit["quality"]["1.0"]
        assert 0 < len(_orders(server)) <= 40
        again = whyrec(*command, **environment)
        assert again.exit_code == 0 and "40 people" in again.stdout
        assert _orders(server) == []
        served = whyrec("recommend", "cinema:u1", "--mode", "rank", "--json", "-c", config, **environment)
        how = json.loads(served.stdout)["provenance"]
    assert (how["weight_source"], how["weight"], how["weight_segment"]) == ("fitted", 0.0, "all")


def test_a_model_that_is_not_there_is_named_with_what_to_do(config: Path) -> None:
    done = whyrec("fit", "rank", "-c", config, OPENAI_BASE_URL="http://127.0.0.1:1/v1")
    assert done.exit_code == 1
    assert "127.0.0.1:1" in done.stderr


def test_a_model_that_turns_lists_round_is_found_out_by_its_position_bias(config: Path) -> None:
    command = (
        "probe",
        "position",
        "--people",
        "4",
        "--candidates",
        "10",
        "--orders",
        "3",
        "--method",
        "listwise",
    )
    with openai_server() as server:
        environment = {"OPENAI_BASE_URL": server.url}
        done = whyrec(*command, "--json", "-c", config, **environment)
        assert done.exit_code == 0, done.output
        [found] = json.loads(done.stdout)
        assert len(_orders(server)) == 4 * 3
        shown = whyrec(*command, "-c", config, **environment)
        assert _orders(server) == []
    assert found["follows"]["mean"] == -1.0 and found["failed"] == 0
    assert [slot - gain["mean"] for slot, gain in found["by_slot"]] == [9, 5, 0]  # slots 0, 4 and 9
    assert "tau with the order shown  -1.000" in shown.stdout


def test_what_a_title_that_speaks_to_the_model_gains_is_shown_by_kind(config: Path) -> None:
    with openai_server() as server:
        done = whyrec(
            "probe", "injection", "--people", "3", "--candidates", "10", "--method", "listwise", "-c", config,
            OPENAI_BASE_URL=server.url,
        )  # fmt: skip
    assert done.exit_code == 0, done.output
    for kind in ("placebo", "orders itself first", "all attacks"):
        assert re.search(rf"^{kind} +\+0.00", done.stdout, re.MULTILINE)


def _orders(server: Running) -> list[object]:
    """Requests for an order, since the last time."""
    return [each for each in server.requests() if '"order"' in json.dumps(each["body"])]
