"""`flowworker plan` and `flowworker graph`: what would run and why, for people and for programs."""

import json
import re
import shutil

import pytest
from steps_in_shell import shell

MARKS = 'a"b\\c<d>|#;'


@pytest.fixture
def planned(workflow):
    """A step, instances that read what it writes, a gatherer, and a step that declares nothing."""
    each = {"names": {"x": [1, 2, 3]}}
    workflow(
        shell("make", "touch in", files={"inputs": [], "outputs": ["in"]}),
        shell("work", "cp in out/$x", foreach=each, files={"inputs": ["in"], "outputs": ["out/$x"]}),
        shell("gather", "ls out >all", files={"inputs": ["out/"], "outputs": ["all"]}),
        shell(MARKS, "touch started"),
    )


def test_the_plan_says_what_each_step_needs_and_which_is_a_barrier(cli, planned, place):
    status, out, err = cli("flowworker plan w.json --jobs 4")
    assert (status, err) == (0, "") and not (place / "in").exists()
    blocks = [block.splitlines() for block in out.split("\n\n")]
    assert blocks[0][0].startswith("4 steps; at most 3 at once by what they need; jobs: 4")
    assert blocks[0][1] == "longest path (4 steps): make > work > gather > " + MARKS
    assert blocks[1][0].startswith("make  (") and "  writes  in" in blocks[1]
    assert "  it declares no inputs, and is trusted to read nothing that a step writes" in blocks[1]
    assert blocks[2][0].startswith("work  [3 instances]") and "  needs   make (in: reads what it writes)" in blocks[2]
    assert any(line.startswith("  barrier: ") for line in blocks[4])


def test_the_plan_names_the_step_that_looks_for_a_file_first(cli, workflow, place):
    pool = {
        "workers": [{"name": "w", "type": "subprocess", "volume": "v"}],
        "volumes": [{"name": "v", "type": "fs", "args": {"basedir": str(place / "v")}}],
        "workflow": [{"step": "two", "worker": "w"}],
    }
    (place / "pool.json").write_text(json.dumps(pool))
    files = {"inputs": ["in"], "outputs": []}
    workflow(shell("one", "cat in", files=files), shell("two", "cat in", files=files))
    status, out, err = cli("flowworker plan w.json --workers pool.json")
    assert (status, err) == (0, "") and "  needs   one (in: looks for it first)" in out.splitlines()


def test_the_plan_shows_the_sandbox_of_a_step(cli, workflow, place):
    worker = {"name": "w", "type": "subprocess", "options": {"sandbox": {"write": ["/data", "/more"]}}}
    (place / "pool.json").write_text(json.dumps({"workers": [worker], "workflow": [{"step": "one", "worker": "w"}]}))
    workflow(shell("one", "true"), shell("two", "true"))
    status, out, err = cli("flowworker plan w.json --workers pool.json")
    [shown] = [line for line in out.splitlines() if "sandbox" in line]
    assert (status, err) == (0, "")
    assert shown == (
        "  sandbox writes the run directory and 2 paths, reads everything, no network, own processes, own /tmp"
    )


def test_the_plan_shows_the_limits_of_all_processes(cli, workflow, place):
    worker = {"name": "w", "type": "subprocess", "options": {"tree_limits": {"cpus": 1.5, "pids": 20}}}
    (place / "pool.json").write_text(json.dumps({"workers": [worker], "workflow": [{"step": "one", "worker": "w"}]}))
    workflow(shell("one", "true"), shell("two", "true"))
    status, out, err = cli("flowworker plan w.json --workers pool.json")
    assert (status, err) == (0, "")
    assert [line for line in out.splitlines() if "limits" in line] == ["  limits  1.5 processors, 20 processes"]


def test_the_plan_as_json(cli, planned):
    status, out, err = cli("flowworker plan w.json --json")
    document = json.loads(out)
    assert (status, err, out.count("\n")) == (0, "", 1)
    assert [step["step"] for step in document["steps"]] == ["make", "work", "gather", MARKS]
    assert document["steps"][1]["instances"] == 3


@pytest.mark.parametrize("command", ["plan", "graph"])
def test_a_wrong_document_is_status_2(cli, workflow, command):
    workflow(shell("a", "true", after=["b"]), shell("b", "true", after=["a"]))
    status, out, err = cli("flowworker {} w.json && echo yes".format(command))
    assert (status, out, err.count("\n")) == (2, "", 1) and '"a"' in err and '"b"' in err


def test_the_graph_as_text(cli, planned):
    status, out, err = cli("flowworker graph w.json")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[:3] == ["make", "work [3]", "  <- make (in: reads what it writes)"]
    assert MARKS + " (barrier)" in lines


def test_the_graph_for_graphviz(cli, planned, place):
    status, out, err = cli("flowworker graph w.json --format dot | tee graph.dot")
    assert (status, err) == (0, "")
    assert '  s0 -> s1 [label="in"]' in out.splitlines()
    assert r'  s3 [label="a\"b\\c<d>|#; (barrier)", shape=octagon]' in out.splitlines()
    if shutil.which("dot") is not None:
        assert cli("dot -Tplain graph.dot >graph.txt && echo yes")[1] == "yes\n"


def test_the_graph_for_mermaid(cli, planned):
    status, out, err = cli("flowworker graph w.json --format mermaid")
    lines = out.splitlines()
    assert (status, err, lines[0]) == (0, "", "flowchart LR")
    assert '  s0 -->|"in"| s1' in lines
    # No mark of the name is left that Mermaid would read.
    assert re.search(r'  s3\{\{"a#34;b#92;c#60;d#62;#124;#35;#59; \(barrier\)"\}\}', out)
