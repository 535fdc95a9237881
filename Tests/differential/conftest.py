"""Puts the package of this checkout on the import path, and has the fixtures that several test files use."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bindings" / "python"))


@pytest.fixture
def rundirs(tmp_path):
    """Two empty run directories of the same last name: flowServ's, and ours."""
    places = (tmp_path / "theirs" / "run", tmp_path / "ours" / "run")
    for place in places:
        place.mkdir(parents=True)
    return places
