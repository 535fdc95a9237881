"""Steps that wait for many others, which stand for one in the graph of the workflow."""

import pytest
from test_workflow_resume_steps import Flow

MANY = 12


@pytest.fixture
def flow(tmp_path):
    return Flow(tmp_path)


def steps(flow, changed=None, fails=None):
    """Many steps write into a folder, and two steps read all of it."""
    writers = []
    for number in range(MANY):
        command = "echo {} > d/{}".format("new" if number == changed else number, number)
        if number == fails:
            command += "; test ! -e ../stop"
        name = "w{}".format(number)
        writers.append(flow.step(name, "mkdir -p d; " + command, outputs=["d/{}".format(number)]))
    readers = [
        flow.step(name, "cat d/* > {}".format(name), inputs=["d/"], outputs=[name]) for name in ("first", "second")
    ]
    return [*writers, *readers]


def test_each_reader_sees_all(flow):
    assert flow.run(*steps(flow)) == 0
    assert flow.ran()[-2:] in (["first", "second"], ["second", "first"])
    assert len(flow.text("first").split()) == len(flow.text("second").split()) == MANY


def test_a_writer_that_fails_leaves_out_the_readers(flow):
    (flow.root / "stop").touch()
    flow.run(*steps(flow, fails=3), code=1)
    assert not (flow.root / "run/first").exists() and not (flow.root / "run/second").exists()
    assert 'step "w3"' in flow.result.message
    flow.ran()
    (flow.root / "stop").unlink()
    flow.run(*steps(flow, fails=3))
    assert flow.ran()[-2:] in (["first", "second"], ["second", "first"])


def test_a_writer_that_has_changed_runs_again_with_the_readers(flow):
    flow.run(*steps(flow))
    flow.ran()
    assert flow.run(*steps(flow)) == MANY + 2 and flow.ran() == []
    flow.run(*steps(flow, changed=5))
    assert {"w5", "first", "second"} <= set(flow.ran())
    assert "new" in flow.text("first").split()
