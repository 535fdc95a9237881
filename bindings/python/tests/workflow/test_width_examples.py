"""Workflows in which an order is easily forgotten. Each gives with many jobs what it gives one step after the other."""

import pytest

import flowworker as fw


def shell(name, command, inputs=(), outputs=(), **facts):
    return fw.ContainerStep(name, "", [command], inputs=list(inputs), outputs=list(outputs), **facts)


class Runs:
    """Runs a workflow serially, and then with many jobs in a directory of its own."""

    def __init__(self, root):
        self.root, self.count = root, 0

    def __call__(self, *steps, files=(), arguments=None, workers=None, volumes=(), keys=None, jobs=8):
        found = []
        for number in (1, jobs, jobs):
            self.count += 1
            place = self.root / str(self.count)
            for volume in ("run", *volumes):
                (place / volume).mkdir(parents=True)
            for key, text in dict(files).items():
                (place / "run" / key).parent.mkdir(parents=True, exist_ok=True)
                (place / "run" / key).write_text(text)
            specs = [fw.FStore(place / volume, volume) for volume in volumes]
            workflow = fw.Workflow(list(steps), workers=workers)
            workflow.files = keys
            facts = {"volumes": specs} if specs else {}
            result = workflow.run(arguments, rundir=place / "run", jobs=number, **facts).check()
            self.plan = workflow.plan(arguments, rundir=place / "run", jobs=number, **facts)
            paths = [path for path in sorted(place.rglob("*")) if path.is_file()]
            left = {str(path.relative_to(place)): path.read_text() for path in paths}
            found.append((left, dict(result.context), [step.text for step in result.steps]))
        assert found[1] == found[0] and found[2] == found[0]
        self.files, self.context, self.printed = found[0]
        return self

    def needs(self, name):
        """The direct needs of a step, as pairs of the other step and the kind."""
        step = next(step for step in self.plan["steps"] if step["step"] == name)
        return {(need["step"], need["kind"]) for need in step["needs"]}


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path)


def test_01_a_folder_and_a_file_in_it_are_in_order(runs):
    ran = runs(
        shell("w1", "sleep 0.05; echo 1 > d/x; echo 1 > d/y", outputs=["d/"]),
        shell("w2", "echo 2 > d/x", outputs=["d/x"]),
        shell("r", "cat d/x d/y", inputs=["d/"]),
    )
    assert ran.printed[2] == "2\n1\n"
    assert ran.needs("w2") == {("w1", "write_after_write")} and ("w2", "read_after_write") in ran.needs("r")


def test_02_a_file_is_read_before_its_folder_is_written(runs):
    ran = runs(
        shell("r", "sleep 0.05; cat d/x", inputs=["d/x"]),
        shell("w", "echo new > d/x", outputs=["d/"]),
        files={"d/x": "old\n"},
    )
    assert ran.printed[0] == "old\n" and ran.needs("w") == {("r", "write_after_read")}


def test_03_steps_that_change_a_file_in_place_are_a_chain(runs):
    change = "v=$$(cat x); sleep 0.02; echo $$v {} > x"
    ran = runs(
        shell("w1", "sleep 0.02; echo 1 > x", outputs=["x"]),
        shell("s1", change.format("s1"), inputs=["x"], outputs=["x"]),
        shell("s2", change.format("s2"), inputs=["x"], outputs=["x"]),
        shell("r", "cat x", inputs=["x"]),
    )
    assert ran.printed[3] == "1 s1 s2\n" and ran.plan["width"] == 1
    assert ran.plan["longest_path"] == ["w1", "s1", "s2", "r"]


def test_04_a_name_without_a_value_is_read_too(runs):
    ran = runs(
        shell("u", "sleep 0.05; echo $later", outputs=["u"], kept=True),
        fw.CodeStep("s", lambda: 7, arg="later", outputs=["s"], kept=True),
        shell("v", "echo $later", outputs=["v"], kept=True),
        files={"u": "", "s": "", "v": ""},
    )
    assert ran.printed == ["later\n", "", "7\n"]
    assert ran.needs("s") == {("u", "write_after_read")} and ran.needs("v") == {("s", "read_after_write")}


def test_05_a_name_that_the_worker_decides_is_not_read(runs):
    workers = fw.WorkerPool([fw.Subprocess("w", variables={"x": "mine"})], {"use": "w"})
    ran = runs(fw.CodeStep("set", lambda: 7, arg="x", after=[]), shell("use", "echo $x", after=[]), workers=workers)
    assert ran.printed[1] == "mine\n" and ran.needs("use") == set()


def test_06_a_dollar_sign_is_no_name(runs):
    ran = runs(fw.CodeStep("set", lambda: 7, arg="x", after=[]), shell("use", "x=1; echo $$x", after=[]))
    assert ran.printed[1] == "1\n" and ran.needs("use") == set()


def test_06_a_name_that_is_a_secret_is_read(runs):
    ran = runs(
        fw.CodeStep("set", lambda: "secret-7", arg="x", after=[]),
        shell("use", "echo secret-7", after=[], secrets=["x"]),
    )
    assert ran.printed[1] == "***\n" and ran.needs("use") == {("set", "barrier")}
    assert "secret" in ran.plan["steps"][0]["barrier"]


def test_07_what_says_nothing_of_its_files_waits_for_all_and_all_wait_for_it(runs):
    ran = runs(
        shell("w", "sleep 0.05; echo 1 > x", outputs=["x"]),
        shell("anything", "cat x; echo 2 > x"),
        shell("r", "cat x", inputs=["x"]),
    )
    assert ran.printed == ["", "1\n", "2\n"]
    barrier = ran.plan["steps"][1]["barrier"]
    assert barrier and "\n" not in barrier and ("anything", "barrier") in ran.needs("r")


def test_07_a_step_that_names_only_its_inputs_is_taken_at_its_word(runs):
    ran = runs(
        shell("w", "echo 1 > x", outputs=["x"]),
        shell("r", "cat y", inputs=["y"]),
        files={"y": "y\n"},
    )
    # What is trusted is that there is nothing of the kind that a step does not declare.
    assert ran.needs("r") == set() and ran.plan["steps"][1]["trusts"] == "writes"
    assert ran.plan["steps"][0]["trusts"] == "reads"


def test_08_a_notebook_is_an_input_and_what_it_leaves_is_an_output(tmp_path):
    workflow = fw.Workflow(
        [
            shell("write", "cp in.ipynb made.ipynb", inputs=["in.ipynb"], outputs=["made.ipynb"]),
            fw.NotebookStep("run", "made.ipynb", inputs=["data"]),
            shell("read", "cat made.out.ipynb", inputs=["made.out.ipynb"]),
        ]
    )
    steps = workflow.plan(rundir=tmp_path)["steps"]
    assert [(need["step"], need["what"]) for need in steps[1]["needs"]] == [("write", "made.ipynb")]
    assert [(need["step"], need["what"]) for need in steps[2]["needs"]] == [("run", "made.out.ipynb")]


def test_09_one_key_on_three_volumes(runs):
    workers = fw.WorkerPool(
        [fw.Subprocess(name, volume=name) for name in "abc"], {"w1": "a", "r1": "b", "r2": "c", "w2": "b", "r3": "a"}
    )
    ran = runs(
        shell("w1", "sleep 0.02; echo 1 > x", outputs=["x"]),
        shell("r1", "sleep 0.03; cat x", inputs=["x"]),
        shell("r2", "cat x", inputs=["x"]),
        shell("w2", "echo 2 > x", outputs=["x"]),
        shell("r3", "cat x", inputs=["x"]),
        workers=workers,
        volumes="abc",
    )
    assert ran.printed == ["", "1\n", "1\n", "", "2\n"]
    assert [ran.files[volume + "/x"] for volume in "abc"] == ["2\n", "2\n", "1\n"]


def test_10_a_folder_is_the_same_with_and_without_a_slash(runs):
    ran = runs(shell("w", "sleep 0.03; mkdir -p a; echo 1 > a/x", outputs=["a"]), shell("r", "cat a/x", inputs=["a/"]))
    assert ran.printed[1] == "1\n" and ran.needs("r") == {("w", "read_after_write")}


def test_11_an_output_of_the_workflow_is_the_last_version(runs):
    workers = fw.WorkerPool([fw.Subprocess(name, volume=name) for name in "ab"], {"one": "a", "two": "b"})
    ran = runs(
        shell("one", "sleep 0.05; echo 1 > out", outputs=["out"]),
        shell("two", "echo 2 > out", outputs=["out"]),
        workers=workers,
        volumes="ab",
        keys={"outputs": ["out"]},
    )
    assert ran.files["run/out"] == "2\n" and ran.needs("two") == {("one", "write_after_write")}


def test_12_a_file_of_before_the_run_is_read_before_it_is_written(runs):
    ran = runs(
        shell("r", "sleep 0.05; cat x", inputs=["x"]), shell("w", "echo new > x", outputs=["x"]), files={"x": "old\n"}
    )
    assert ran.printed[0] == "old\n" and ran.needs("w") == {("r", "write_after_read")}


def test_13_steps_at_once_spill_into_files_of_their_own(tmp_path):
    for place in ("run", "spill"):
        (tmp_path / place).mkdir()
    steps = [shell(str(n), "for i in 1 2 3; do echo {}; sleep 0.01; done".format(n), after=[]) for n in range(8)]
    result = fw.Workflow(steps).run(rundir=tmp_path / "run", spill=tmp_path / "spill", output_limit=1, jobs=8)
    result.check()
    spilled = sorted(path.read_text() for path in (tmp_path / "spill").rglob("*") if path.is_file())
    assert [text for text in spilled if text] == ["{}\n".format(n) * 3 for n in range(8)]


def test_14_what_a_background_child_writes_later_is_nobodys_output(runs):
    leave = fw.WorkerPool([fw.Subprocess("leave", options={"background": "leave"})], {"one": "leave", "two": "leave"})
    ran = runs(shell("one", "(sleep 0.01) &", after=[]), shell("two", "(sleep 0.01) &", after=[]), workers=leave)
    assert ran.needs("two") == set()


def test_15_two_functions_share_an_object_and_names_alone_order_them(tmp_path):
    """An order by name is kept; what a function does to an object that another one has is not seen."""
    seen = []

    def change(box):
        box.append(1)
        return len(box)

    def look(box):
        seen.append(box)

    steps = [fw.CodeStep("change", change, arg="size", after=[]), fw.CodeStep("look", look, after=[])]
    workflow, box = fw.Workflow(steps), []
    plan = workflow.plan({"box": box}, rundir=tmp_path, jobs=2)
    assert plan["steps"][1]["needs"] == []
    result = workflow.run({"box": box}, rundir=tmp_path, jobs=2).check()
    assert seen == [box] and seen[0] is box and result.context["size"] == 1


def test_16_a_function_has_its_default_until_an_earlier_step_has_set_the_name(runs):
    def use(late="default"):
        return "used {}".format(late)

    ran = runs(
        fw.CodeStep("before", use, arg="before", after=[]),
        fw.CodeStep("set", lambda: "value", arg="late", after=[]),
        fw.CodeStep("behind", use, arg="behind", after=[]),
    )
    assert (ran.context["before"], ran.context["behind"]) == ("used default", "used value")
    assert ran.needs("set") == {("before", "write_after_read")}


def test_the_last_writer_of_the_document_wins_and_not_that_of_time(runs):
    """Two steps that set one name are in order, and the context has what the later step gave."""
    import time

    ran = runs(
        fw.CodeStep("slow", lambda: time.sleep(0.05) or 1, arg="x", after=[]),
        fw.CodeStep("quick", lambda: 2, arg="x", after=[]),
    )
    assert ran.context["x"] == 2 and ran.needs("quick") == {("slow", "write_after_write")}


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_a_step_that_fails_has_failed_for_all_that_need_it(jobs, tmp_path):
    steps = [shell("bad", "sleep 0.01; exit 3", outputs=["x"])]
    steps += [shell("needs {}".format(n), "cat x", inputs=["x"]) for n in range(6)]
    steps += [shell("free", "echo free", inputs=["y"])]
    (tmp_path / "y").write_text("")
    result = fw.Workflow(steps).run(rundir=tmp_path, jobs=jobs, fail="last")
    assert result.outcome == "exited" and result.returncode == 3
    assert [step.step.name for step in result.steps] == ["bad", "free"]
    assert [one["step"] for one in result.not_run] == ["needs {}".format(n) for n in range(6)]
    assert {one["reason"] for one in result.not_run} == {'needs "x" of step "bad", which failed'}


def test_no_step_begins_while_its_input_is_still_being_copied(tmp_path):
    size = 50_000_000
    for name in ("run", "a"):
        (tmp_path / name).mkdir()
    (tmp_path / "run" / "x").write_bytes(bytes(size))
    workers = fw.WorkerPool([fw.Subprocess("a", volume="a")], {str(number): "a" for number in range(6)})
    steps = [shell(str(number), "wc -c < x", inputs=["x"]) for number in range(6)]
    volumes = [fw.FStore(tmp_path / "a", "a")]
    result = fw.Workflow(steps, workers=workers).run(rundir=tmp_path / "run", volumes=volumes, jobs=6).check()
    assert [int(step.text) for step in result.steps] == [size] * 6
    assert [copy["key"] for copy in result.copies] == ["x"]


def test_a_copy_that_fails_midway_is_made_again(tmp_path):
    """A volume has a folder when all of it has arrived, and not when its copy begins."""
    for name in ("run", "b/d/z/full"):
        (tmp_path / name).mkdir(parents=True)
    workers = fw.WorkerPool([fw.Subprocess("b", volume="b")], {"bad": "b", "good": "b", "clear": "b"})
    steps = [
        shell("make", "for i in x y z; do echo $$i > d/$$i; done", outputs=["d/"]),
        shell("bad", "ls d", inputs=["d/"]),
        shell("clear", "rm -r d/z", after=[]),
        shell("good", "ls d", inputs=["d/"]),
    ]
    facts = {"volumes": [fw.FStore(tmp_path / "b", "b")], "fail": "last"}
    result = fw.Workflow(steps, workers=workers).run(rundir=tmp_path / "run", **facts)
    assert [step.outcome for step in result.steps] == ["exited", "volume_failed", "exited", "exited"]
    assert result.steps[3].text == "x\ny\nz\n"
