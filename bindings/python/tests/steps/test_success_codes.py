"""A command that exits with one of the success codes has succeeded, wherever the codes are said, and the result has the
code."""

import pytest

import flowworker as fw


def codes_of(result):
    return [command["exit_code"] for command in result.commands]


def worker(**options):
    return fw.create_worker(fw.Subprocess("w", options=options))


def test_a_step_goes_on_after_a_success_code(rundir):
    step = fw.ContainerStep("s", "", commands=["exit 1", ["sh", "-c", "exit 3"], "echo end"], success_codes=[0, 1, 3])
    result = worker().exec(step, {}, rundir)
    assert (result.returncode, result.outcome, result.stdout) == (0, "exited", ["end\n"])
    assert codes_of(result) == [1, 3, 0]
    assert result.message is None


def test_the_last_code_does_not_become_the_return_code(rundir):
    result = worker(success_codes=[0, 4]).exec(fw.ContainerStep("s", "", commands=["exit 4"]), {}, rundir)
    assert (result.returncode, codes_of(result)) == (0, [4])


def test_zero_that_is_not_listed_is_a_failure(rundir):
    step = fw.ContainerStep("s", "", commands=["true", "echo never"], success_codes=[1, 2])
    result = worker().exec(step, {}, rundir)
    assert (result.returncode, result.outcome, codes_of(result), result.stdout) == (1, "exited", [0], [])
    assert result.message == 'step "s", command 1 of 2 exited with status 0 (success codes: 1, 2): "true"'


def test_another_code_keeps_its_number(rundir):
    result = worker(success_codes=[0, 4]).exec(fw.ContainerStep("s", "", commands=["exit 5"]), {}, rundir)
    assert (result.returncode, codes_of(result)) == (5, [5])


def test_a_signal_is_no_exit_code(rundir):
    step = fw.ContainerStep("s", "", commands=[["sh", "-c", "kill -TERM $$$$"]], success_codes=[0, 15, 143, 241])
    result = worker().exec(step, {}, rundir)
    assert (result.returncode, result.outcome) == (-15, "signaled")


def test_the_step_wins_over_the_worker_and_the_run_over_both(rundir):
    plain = fw.ContainerStep("s", "", commands=["exit 3"])
    own = fw.ContainerStep("s", "", commands=["exit 3"], success_codes=[3])
    with worker(success_codes=[7]) as runner:
        assert runner.exec(plain, {}, rundir).returncode == 3
        assert runner.exec(own, {}, rundir).returncode == 0
        assert runner.exec(own, {}, rundir, success_codes=[0]).returncode == 3
        assert runner.exec(plain, {}, rundir, success_codes=[3]).returncode == 0


@pytest.mark.parametrize("codes, attempts", [([3], 3), ([4], 1), ([0], 1)])
def test_retries_ask_for_the_code_of_the_command(rundir, codes, attempts):
    retries = {"max": 2, "delay": 0, "codes": codes}
    step = fw.ContainerStep("s", "", commands=["echo x >> ran", "exit 3"], retries=retries)
    result = worker().exec(step, {}, rundir)
    assert (result.returncode, (rundir / "ran").read_text()) == (3, "x\n" * attempts)


def test_a_zero_that_is_a_failure_can_be_retried(rundir):
    step = fw.ContainerStep(
        "s", "", commands=["echo x >> ran"], success_codes=[1], retries={"max": 1, "delay": 0, "codes": [0]}
    )
    assert worker().exec(step, {}, rundir).returncode == 1
    assert (rundir / "ran").read_text() == "x\nx\n"


def test_a_workflow_goes_on_after_a_success_code(rundir):
    workflow = fw.Workflow()
    workflow.add_container_step("one", "", commands=["exit 2"], success_codes=[2])
    workflow.add_container_step("two", "", commands=["echo two"])
    result = workflow.run({}, rundir=rundir)
    assert (result.returncode, result.stdout) == (0, ["two\n"])
    other = fw.Workflow()
    other.add_container_step("one", "", commands=["exit 2"])
    assert other.run({}, rundir=rundir, success_codes=[0, 2]).returncode == 0


def test_a_step_that_is_restored_has_its_codes(rundir, tmp_path):
    for restored in (0, 1):
        workflow = fw.Workflow([fw.ContainerStep("s", "", ["exit 2", "true"], success_codes=[0, 2])])
        result = workflow.run({}, rundir=rundir, state=tmp_path / "state")
        assert (result.restored, result.returncode) == (restored, 0)
        assert [command["exit_code"] for command in result.steps[0].commands] == [2, 0]


def test_a_step_that_would_fail_now_runs_again(rundir, tmp_path):
    """A plan shows the codes, and a resumed run compares plans."""

    def run(**options):
        workflow = fw.Workflow([fw.ContainerStep("s", "", commands=["exit 3"])])
        result = workflow.run({}, rundir=rundir, state=tmp_path / "state", **options)
        return result.returncode, result.restored

    assert run(success_codes=[0, 3]) == (0, 0)
    assert run(success_codes=[0, 3]) == (0, 1)
    assert run() == (3, 0)
    step = fw.ContainerStep("s", "", commands=["exit 3"], success_codes=[3])
    assert fw.default_container_worker.plan(step, {}, rundir)["success_codes"] == [3]
    step.success_codes = None
    assert fw.default_container_worker.plan(step, {}, rundir)["success_codes"] == [0]


@pytest.mark.parametrize("codes", [[], [256], [-1], ["0"], 0, [0.5], None, [True]])
def test_other_values_are_refused_with_their_place(codes):
    with pytest.raises(fw.DocumentError, match="exit code") as caught:
        fw.create_worker({"name": "w", "type": "subprocess", "options": {"success_codes": codes}})
    assert caught.value.path.startswith("/options/success_codes")


@pytest.mark.parametrize("type", ["code", "notebook", "nbdocker"])
def test_workers_without_commands_have_no_success_codes(type):
    with pytest.raises(fw.DocumentError, match='unknown key "success_codes"'):
        fw.create_worker({"name": "w", "type": type, "options": {"success_codes": [0]}})
