"""Only files that a step has made or changed count as its outputs."""

import pytest

import flowworker as fw


def workflow(*commands, outputs=("out",), of_run=True, kept=False, **facts):
    step = fw.ContainerStep("a", "", list(commands), outputs=list(outputs), kept=kept, **facts)
    files = {"outputs": list(outputs)} if of_run else {}
    return fw.Workflow.from_template({"files": files, "steps": [step.to_document()]})


def failed(result, *texts):
    assert result.outcome == "output_missing" and result.returncode == 1
    for text in texts:
        assert text in result.message
    return True


@pytest.mark.parametrize("state", [False, True])
def test_what_was_there_before_does_not_count(tmp_path, state):
    def options(name):
        return {"state": tmp_path / name} if state else {}

    workflow("echo one > out").run(rundir=tmp_path / "r", **options("1")).check()
    result = workflow("true").run(rundir=tmp_path / "r", **options("2"))
    assert failed(
        result, 'its output "out" is missing in the volume "__default__"', "existed before the step", '"kept": true'
    )
    workflow("true", kept=True).run(rundir=tmp_path / "r", **options("3")).check()
    assert failed(workflow("true", kept=True).run(rundir=tmp_path / "s", **options("4")), "no such file or folder")


@pytest.mark.parametrize(
    "command",
    [
        "echo one > out",
        "printf x >> out",
        "printf 0123 | dd of=out conv=notrunc 2>/dev/null",
        "touch out",
        "rm out; echo one > out",
        "echo one > new; mv new out",
        "chmod 755 out",
    ],
)
def test_a_file_that_was_changed_in_place_counts(tmp_path, command):
    # The change follows at once and keeps the size, because the clock of a file system has a coarse resolution.
    for _ in range(5):
        (tmp_path / "out").write_text("one\n")
        workflow(command).run(rundir=tmp_path).check()


def test_steps_that_write_one_key_after_the_other(tmp_path):
    steps = [fw.ContainerStep("s%d" % number, "", ["printf %d > x" % number], outputs=["x"]) for number in range(9)]
    fw.Workflow(steps).run(rundir=tmp_path).check()
    steps.append(fw.ContainerStep("last", "", ["true"], outputs=["x"]))
    assert failed(fw.Workflow(steps).run(rundir=tmp_path), 'step "last"', "existed before the step")


def test_a_link_that_is_made_anew_counts(tmp_path):
    (tmp_path / "data").write_text("1")
    workflow("ln -sf data out").run(rundir=tmp_path).check()
    workflow("ln -sf data out").run(rundir=tmp_path).check()
    assert failed(workflow("true").run(rundir=tmp_path))
    # The target of the link is an output as well.
    workflow("echo 2 > data").run(rundir=tmp_path).check()
    assert failed(workflow("rm data", of_run=False).run(rundir=tmp_path), "it is a broken symbolic link")


def test_a_link_out_of_the_volume_may_be_replaced(tmp_path):
    rundir = tmp_path / "run"
    rundir.mkdir()
    (tmp_path / "elsewhere").write_text("x")
    (rundir / "out").symlink_to(tmp_path / "elsewhere")
    result = workflow("true", of_run=False).run(rundir=rundir)
    assert result.outcome == "volume_failed" and 'the key "out" leads out of the volume' in result.message
    workflow("rm out; echo 1 > out", of_run=False).run(rundir=rundir).check()
    assert (tmp_path / "elsewhere").read_text() == "x"


@pytest.mark.parametrize("outputs", [["res/"], ["res"], ["res/", "res/deep/"]])
def test_a_folder_that_nobody_filled_is_missing(tmp_path, outputs):
    result = workflow("mkdir -p res", outputs=outputs).run(rundir=tmp_path)
    assert failed(result, 'its output "res')
    # A folder that the library has made is no output.
    assert failed(workflow("true", outputs=["o/"], kept=True).run(rundir=tmp_path), "it is an empty folder")
    (tmp_path / "e").mkdir()
    workflow("true", outputs=["e/"], kept=True).run(rundir=tmp_path).check()


@pytest.mark.parametrize("key", ["res", "res/"])
def test_a_folder_has_changed_if_anything_in_it_has(tmp_path, key):
    workflow("mkdir -p res/deep/er res/empty; echo 1 > res/deep/er/f; ln -s deep res/l", outputs=[key]).run(
        rundir=tmp_path
    ).check()
    assert failed(workflow("ls -R res", outputs=[key]).run(rundir=tmp_path), "existed before the step")
    for command in (
        "echo 2 > res/deep/er/f",
        "echo 1 > res/empty/new",
        "rm res/empty/new",
        "mkdir res/empty/x",
        "ln -sfn empty res/l",
    ):
        workflow(command, outputs=[key]).run(rundir=tmp_path).check()
        assert failed(workflow("true", outputs=[key]).run(rundir=tmp_path))
    assert failed(workflow("rm -r res/*", outputs=[key]).run(rundir=tmp_path), "it is an empty folder")


@pytest.mark.parametrize("delay", [0, 0.05])
def test_what_a_failed_attempt_left_does_not_count(tmp_path, delay):
    retries = {"max": 3, "delay": delay}
    lazy = "test -e tried && exit 0; echo partial > out; mkdir -p res; echo partial > res/x; touch tried; exit 3"
    for outputs in (["out"], ["res/"], ["res"]):
        rundir = tmp_path / "lazy{}".format(len(list(tmp_path.iterdir())))
        result = workflow(lazy, outputs=outputs, retries=retries).run(rundir=rundir)
        assert failed(result, "was left by a failed attempt")
    busy = "echo text > out; test -e tried && exit 0; touch tried; exit 3"
    workflow(busy, retries=retries).run(rundir=tmp_path / "busy").check()


def test_an_interrupted_step_and_a_state(tmp_path):
    steps = [
        fw.ContainerStep("one", "", ["echo 1 > one"], outputs=["one"]),
        fw.ContainerStep("two", "", ["cat one > two; test -e ready || exit 5"], inputs=["one"], outputs=["two"]),
    ]
    document = {"files": {"outputs": ["one", "two", "log"]}, "steps": [step.to_document() for step in steps]}
    document["steps"][0]["action"]["commands"][0] += "; echo log > log"
    flow = fw.Workflow.from_template(document)
    first = flow.run(rundir=tmp_path / "r", state=tmp_path / "s")
    assert (first.outcome, first.returncode) == ("exited", 5)
    (tmp_path / "r/ready").touch()
    # "log" is made by a step that does not run again, and declared by none.
    result = flow.run(rundir=tmp_path / "r", state=tmp_path / "s").check()
    assert result.restored == 1
    assert flow.run(rundir=tmp_path / "r", state=tmp_path / "s").check().restored == 2


def test_outputs_of_the_workflow_that_no_step_declares(tmp_path):
    def flow(command, **files):
        document = {"files": files, "steps": [fw.ContainerStep("s", "", [command]).to_document()]}
        return fw.Workflow.from_template(document)

    flow("echo 1 > out", outputs=["out"]).run(rundir=tmp_path).check()
    result = flow("true", outputs=["out"]).run(rundir=tmp_path)
    assert failed(result, 'the workflow failed: its output "out" is missing', "existed before the run")
    flow("true", outputs=["out"], kept=True).run(rundir=tmp_path).check()
    flow("echo 2 > out", inputs=["out"], outputs=["out"]).run(rundir=tmp_path).check()
    assert failed(flow("true", outputs=["none"]).run(rundir=tmp_path), 'its output "none" is missing')
    assert failed(flow("mkdir e", outputs=["e/"]).run(rundir=tmp_path), 'its output "e/" is missing')


def test_a_file_in_a_folder_that_a_step_declares(tmp_path):
    """The step has made its folder, but not this file in it."""

    def flow(command):
        step = fw.ContainerStep("s", "", [command], outputs=["r/"])
        return fw.Workflow.from_template(
            {"files": {"outputs": ["r/x"]}, "steps": [step.to_document()]},
            workers=fw.WorkerPool(
                [fw.Subprocess("w", volume="v")], {"s": "w"}, volumes=[fw.FStore(tmp_path / "v", "v")]
            ),
        )

    flow("echo 1 > r/x").run(rundir=tmp_path / "run").check()
    assert (tmp_path / "run/x").exists() is False and (tmp_path / "run/r/x").read_text() == "1\n"
    assert failed(
        flow("date +%N > r/y").run(rundir=tmp_path / "run"), 'its output "r/x" is missing', "existed before the run"
    )
    flow("echo 2 > r/x").run(rundir=tmp_path / "run").check()
    assert (tmp_path / "run/r/x").read_text() == "2\n"


def test_kept_in_documents():
    step = fw.ContainerStep("s", "", [], outputs=["x"], kept=True)
    assert step.to_document()["files"] == {"inputs": [], "outputs": ["x"], "kept": True}
    document = {"name": "s", "files": {"outputs": ["x"], "kept": 1}, "action": {"environment": "", "commands": []}}
    with pytest.raises(fw.DocumentError, match="true or false"):
        fw.Workflow.from_template({"steps": [document]})
    template = {
        "workflow": {"files": {"outputs": ["x"], "kept": "$[[k]]"}, "steps": []},
        "parameters": [{"name": "k", "dtype": "bool"}],
    }
    fw.Workflow.from_template(template)
