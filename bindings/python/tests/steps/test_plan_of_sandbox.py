"""The option `sandbox` in builders and plans. What it does to commands is tested with the attempts."""

import pytest

import flowworker
from flowworker import ContainerStep, Slurm, Subprocess, WorkerPool, Workflow, create_worker

STEP = ContainerStep("s", "", ["true"])
PROCESSES = ["pid_namespace", "ipc_namespace"]
ALWAYS = ["seccomp", "no_new_privs", "no_capabilities"]


def planned(sandbox, rundir="/", **options):
    return create_worker(Subprocess("w", sandbox=sandbox, options=options)).plan(STEP, {}, rundir)


def test_the_keyword_is_the_option():
    assert Subprocess("w", sandbox=True)["options"] == {"sandbox": True}
    assert Subprocess("w", sandbox={"network": "host"}, options={"grace": 1})["options"] == {
        "grace": 1,
        "sandbox": {"network": "host"},
    }
    assert "options" not in Subprocess("w")
    assert Subprocess("w", sandbox=False, options={"sandbox": True})["options"] == {"sandbox": False}


def test_a_slurm_worker_has_it_as_well(monkeypatch):
    sandbox = {"network": "host", "private_tmp": False, "processes": "host"}
    assert Slurm("w", sandbox=sandbox)["options"] == {"sandbox": sandbox}
    monkeypatch.setenv("TMPDIR", "/own")

    def plan(sandbox):
        worker = Slurm("w", sandbox=sandbox, options={"inherit_env": ["TMPDIR", "FW_NOT*"]})
        return create_worker(worker).plan(STEP, {}, "/")

    assert plan(sandbox)["sandbox"] == planned(sandbox)["sandbox"]
    assert (plan(None)["sandbox"], plan(None)["inherited"], plan(True)["inherited"]) == (None, ["TMPDIR"], [])


def test_a_plan_has_the_promises_and_what_they_need():
    assert planned(None)["sandbox"] is None and planned(False)["sandbox"] is None
    default = {
        "write": [],
        "read": "all",
        "network": "none",
        "private_tmp": True,
        "processes": "own",
        "syscalls": "default",
        "required": True,
        "needs": ["mount_namespace", *PROCESSES, "network_namespace", *ALWAYS],
    }
    assert planned(True)["sandbox"] == default and planned({})["sandbox"] == default
    given = {
        "write": ["/b", "/a//c/", "/a", "/b"],
        "read": ["/data", "system"],
        "network": {"tcp_connect": [443, 80, 443]},
        "private_tmp": False,
        "processes": "host",
        "syscalls": {"refuse": ["ptrace", "open", "ptrace"]},
        "required": False,
    }
    plan = planned(given)["sandbox"]
    assert plan.pop("read")[:2] == ["/data", "/usr"]
    assert plan == {
        "write": ["/a", "/a/c", "/b"],
        "network": {"tcp_connect": [80, 443]},
        "private_tmp": False,
        "processes": "host",
        "syscalls": {"refuse": ["open", "ptrace"]},
        "required": False,
        "needs": ["landlock", *ALWAYS],
    }


def test_a_plan_lists_what_is_inherited_in_the_sandbox(monkeypatch):
    names = ["SSH_AUTH_SOCK", "TMPDIR", "FW_STAYS"]
    for name in names:
        monkeypatch.setenv(name, "x")
    inherit = [*names, "XDG_*"]
    assert planned(True, inherit_env=inherit)["inherited"] == ["FW_STAYS"]
    alone = {"private_tmp": False, "processes": "host"}
    assert set(planned(alone, inherit_env=inherit)["inherited"]) >= set(names)


def test_a_plan_of_a_workflow_has_one_line():
    pool = WorkerPool(
        [Subprocess("a", sandbox=True), Subprocess("b", sandbox={"read": ["/usr"], "network": {"tcp_connect": [80]}})],
        {"one": "a", "two": "b"},
    )
    steps = [ContainerStep(name, "", ["true"]) for name in ("one", "two", "three")]
    lines = [step["sandbox"] for step in Workflow(steps).plan(workers=pool)["steps"]]
    assert lines == [
        "writes the run directory, reads everything, no network, own processes, own /tmp",
        "writes the run directory, reads 1 path, TCP to port 80, own processes, own /tmp",
        None,
    ]


def test_many_paths_and_too_many_bytes():
    paths = ["/data/{:05}".format(number) for number in range(10_000)]
    assert planned({"read": paths})["sandbox"]["read"] == paths
    with pytest.raises(flowworker.DocumentError) as refused:
        planned({"read": ["/{:04000}".format(number) for number in range(1000)]})
    assert refused.value.path == "/options/sandbox" and "at most 3145728" in str(refused.value)
    with pytest.raises(flowworker.DocumentError) as refused:
        planned({"read": [*paths, "/a"]})
    assert refused.value.path == "/options/sandbox/read" and "at most 10000" in str(refused.value)
