import pytest
from library import Interpreter


@pytest.fixture
def rundir(tmp_path):
    """A run directory, and what writes files into it."""
    return tmp_path


@pytest.fixture
def write(rundir):
    def write(name, text):
        path = rundir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.fixture(scope="session")
def shared():
    """Interpreters that all tests use, one for each kind: no job may leave anything to the next one."""
    made = {}

    def get(kind):
        if kind not in made:
            made[kind] = Interpreter(kind, idle=3600)
        return made[kind]

    yield get
    for interpreter in made.values():
        assert interpreter.close() == (0, "")
