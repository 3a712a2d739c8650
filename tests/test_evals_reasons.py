"""A model's reasons on people of a build: written, supported, withheld; a run that was cut off goes on."""

from __future__ import annotations

import json
from pathlib import Path

from tests.openai_server import openai_server
from tests.whole import whyrec


def test_reasons_are_counted_and_a_second_run_asks_only_for_new_people(whole: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    with openai_server() as server:
        environment = {"OPENAI_BASE_URL": server.url, "WHYREC_CACHE__ENABLED": "false"}

        def run(people: int) -> dict:
            command = ("eval", "reasons", rows, "--people", people, "-k", 2, "--json", "--config", whole)
            done = whyrec(*command, **environment)
            assert done.exit_code == 0, done.output
            return json.loads(done.stdout)

        first = run(2)
        assert (first["people"], first["places"], first["written"]) == (2, 4, 4)
        assert first["supported"] + sum(first["withheld"].values()) == 4
        before = rows.read_text()
        second = run(3)
        assert second["people"] == 3
        assert rows.read_text().startswith(before)
