import pytest
from library import Interpreter, notebook


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
    """One interpreter of each kind for all tests, because no job may affect the next one."""
    made = {}

    def get(kind):
        if kind not in made:
            made[kind] = Interpreter(kind, idle=3600)
        return made[kind]

    yield get
    for interpreter in made.values():
        assert interpreter.close() == (0, "")


@pytest.fixture
def run(shared, rundir, write):
    """Runs a notebook of these cells as n.ipynb."""

    def run(*cells, parameters=None, interpreter=None, **more):
        layout = {"kernel": more.pop("spec")} if "spec" in more else {}
        if cells:
            is_text = isinstance(cells[0], str) and cells[0].startswith("{")
            write("n.ipynb", cells[0] if is_text else notebook(*cells, **layout))
        job = dict(
            {
                "do": "notebook",
                "notebook": "n.ipynb",
                "output": "n.out.ipynb",
                "parameters": parameters or {},
                "kernel": None,
                "cell_timeout": None,
                "start_timeout": 60,
            },
            **more,
        )
        return (interpreter or shared("notebook")).run(job, rundir)

    return run
