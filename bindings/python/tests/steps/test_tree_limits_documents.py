"""The option `tree_limits` in builders and plans. What it does to commands is in test_tree_limits.py."""

import pytest

from flowworker import ContainerStep, Subprocess, WorkerPool, Workflow, create_worker

STEP = ContainerStep("s", "", ["true"])


def test_the_keyword_is_the_option():
    assert Subprocess("w", tree_limits={"pids": 9})["options"] == {"tree_limits": {"pids": 9}}
    assert Subprocess("w", tree_limits={"pids": 9}, sandbox=True, options={"grace": 1})["options"] == {
        "grace": 1,
        "sandbox": True,
        "tree_limits": {"pids": 9},
    }
    assert "options" not in Subprocess("w")


@pytest.mark.parametrize(
    ["given", "planned", "line"],
    [
        ({"pids": 9}, (None, None, 9, True), "9 processes"),
        (
            {"memory": 6291456, "cpus": 0.5, "pids": 4194304, "required": False},
            (6291456, 0.5, 4194304, False),
            "6291456 bytes of memory, 0.5 processors, 4194304 processes, as far as the system can keep this",
        ),
        ({"memory": (1 << 63) - 1}, ((1 << 63) - 1, None, None, True), "9223372036854775807 bytes of memory"),
    ],
)
def test_a_plan_has_the_limits(given, planned, line):
    spec = Subprocess("w", tree_limits=given)
    plan = create_worker(spec).plan(STEP, {}, "/")["tree_limits"]
    assert plan == dict(zip(("memory", "cpus", "pids", "required"), planned))
    pool = WorkerPool([spec], {"s": "w"})
    steps = [STEP, ContainerStep("other", "", ["true"])]
    assert [one["tree_limits"] for one in Workflow(steps).plan(workers=pool)["steps"]] == [line, None]


def test_a_plan_without_limits():
    assert create_worker(Subprocess("w")).plan(STEP, {}, "/")["tree_limits"] is None
