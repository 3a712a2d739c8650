"""`whyrec fit rank` as a shell runs it, against a model over real HTTP that turns every list round."""

from __future__ import annotations

import json
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


def _orders(server: Running) -> list[object]:
    """Requests for an order, since the last time."""
    return [each for each in server.requests() if '"order"' in json.dumps(each["body"])]
