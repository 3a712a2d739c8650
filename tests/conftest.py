"""Fixtures that several modules share because they are slow to make."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.whole import trained


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whyrec.toml of tests/whole.py's two platforms, ingested and trained. Do not write there."""
    return trained(tmp_path_factory.mktemp("whole"))
