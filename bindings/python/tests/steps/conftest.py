"""Fixtures of the tests of sandboxes."""

import shutil

import pytest
from sandbox_place import folder_outside
from sandbox_steps import namespaces_are_refused


@pytest.fixture(scope="module")
def namespaces():
    reason = namespaces_are_refused()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture
def outside():
    """A folder beside which nothing is covered."""
    folder = folder_outside()
    if folder is None:
        pytest.skip("there is no folder outside of /tmp that can be written here")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def place(outside):
    """A run directory in such a folder."""
    run = outside / "run"
    run.mkdir()
    return run
