"""The doctor names what is wrong, and what to do, and changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import time

import pytest

from tests.whole import whyrec


@pytest.fixture
def config(whole, tmp_path):
    """A copy to break."""
    shutil.copytree(whole.parent, tmp_path / "copy")
    return tmp_path / "copy" / "whyrec.toml"


def seen(config, **environment):
    done = whyrec("doctor", "--no-model", "--json", "-c", config, **environment)
    return {each["check"]: each for each in json.loads(done.stdout)}, done.exit_code


def test_a_sound_installation_has_nothing_wrong(config):
    found, code = seen(config)
    assert code == 0
    assert {name for name, each in found.items() if each["state"] == "wrong"} == set()
    assert found["artefact"]["state"] == "ok"


def test_a_damaged_artefact_is_named_with_the_remedy(config):
    (models,) = (config.parent / "workspace" / "models").glob("*-als")
    file = models / "items.npy"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    found, code = seen(config)
    assert code == 1
    assert "items.npy" in found["artefact"]["seen"]
    assert "train again" in found["artefact"]["remedy"]


def test_a_missing_source_is_named(config):
    (config.parent / "orders.csv").unlink()
    found, code = seen(config)
    assert code == 1
    assert "orders.csv" in found["sources"]["seen"]


def test_a_clock_that_was_set_back_is_noticed(config):
    ahead = time.time() + 86_400
    os.utime(config.parent / "workspace" / "builds", (ahead, ahead))
    found, code = seen(config)
    assert code == 1
    assert found["clock"]["state"] == "wrong"


def test_a_store_that_is_no_database_is_named(config):
    (config.parent / "workspace" / "whyrec.db").write_bytes(b"not a database" * 100)
    for more in ("whyrec.db-wal", "whyrec.db-shm"):
        (config.parent / "workspace" / more).unlink(missing_ok=True)
    found, code = seen(config)
    assert code == 1
    assert found["store"]["state"] == "wrong"


def test_a_service_that_wants_keys_and_has_none_is_warned_of(config):
    found, code = seen(config, WHYREC_SECURITY__OPEN="false")
    assert code == 0
    assert "whyrec keys create" in found["keys"]["remedy"]
