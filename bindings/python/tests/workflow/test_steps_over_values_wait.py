"""Steps over values that wait for each other instance by instance, and values that a step does not use."""

import pytest

from flowworker import CodeStep, ContainerStep, NotebookStep, Workflow


def shell(name, command, **facts):
    return ContainerStep(name, "", [command], **facts)


def over(name, command, values, **facts):
    return shell(name, command, foreach={"names": {"x": values}}, **facts)


def places(result):
    return [(step.step.name, step.instance, step.returncode) for step in result.steps]


@pytest.mark.parametrize("jobs", [1, 4])
def test_instances_in_order_stay_in_order_when_their_needs_end_in_another(rundir, jobs):
    # With jobs, the first instance of `make` ends last. Each instance of `use` reads the folder that all write.
    wait = "" if jobs == 1 else 'if [ "$x" = 0 ]; then until [ -e a/1 ] && [ -e a/2 ]; do sleep 0.01; done; fi; '
    steps = [
        over("make", "x=$x; " + wait.replace("$x", "$$x") + "sleep 0.1; touch a/$x", [0, 1, 2], outputs=["a/$x"]),
        over("use", "ls c > c/$x", [0, 1, 2], inputs=["a/$x", "c/"], outputs=["c/$x"]),
    ]
    (rundir / "c").mkdir()
    (rundir / "c" / "first").touch()
    result = Workflow(steps).run(rundir=rundir, jobs=jobs)
    assert result.returncode == 0, result.explanation
    assert (rundir / "c" / "0").read_text().split() == ["0", "first"]
    assert (rundir / "c" / "2").read_text().split() == ["0", "1", "2", "first"]


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_list_of_which_an_instance_was_not_run_is_not_given(rundir, jobs):
    steps = [
        over("make", "test $x != 0 && touch a/$x", [0, 1, 2], outputs=["a/$x"]),
        CodeStep(
            "use",
            func=lambda x: x,
            arg="list",
            foreach={"names": {"x": [0, 1, 2]}},
            inputs=["a/$x"],
            outputs=[],
            after=[],
        ),
    ]
    result = Workflow(steps).run(rundir=rundir, jobs=jobs, fail="last")
    assert [place[:2] for place in places(result)] == [
        ("make", 0),
        ("make", 1),
        ("make", 2),
        ("use", 1),
        ("use", 2),
    ]
    assert "list" not in result.context


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_step_that_waits_for_one_left_out_and_one_that_failed_is_over(rundir, jobs):
    # `write` writes what `read` reads, which is left out, and needs `bad`. Then `last` has to go on.
    steps = [
        shell("first", "exit 1", outputs=["go"]),
        over("read", "cat d/$x", [0], inputs=["d/$x", "go"], outputs=["r/$x"]),
        over("bad", "exit 1", [0], outputs=["b/$x"]),
        over("write", "touch d/$x", [0], inputs=["b/$x"], outputs=["d/$x"]),
        shell("last", "touch b/0", inputs=[], outputs=["b/0"]),
    ]
    result = Workflow(steps).run(rundir=rundir, jobs=jobs, fail="last")
    assert ("last", None, 0) in places(result)
    assert {entry["step"] for entry in result.not_run} == {"read", "write"}


def test_a_value_that_a_step_does_not_use_is_no_reason_to_run_it_again(rundir, tmp_path):
    # The second value has a name that is closer to that of the placeholder, which has no value.
    steps = [shell("a", "echo $colour; echo x >> out", outputs=["out"])]
    for context in [{"cool": 1}, {"cool": 1, "color": 2}]:
        result = Workflow(steps).run(context, rundir=rundir, state=tmp_path / "state")
        assert result.returncode == 0
    assert (rundir / "out").read_text() == "x\n"


@pytest.mark.parametrize("jobs", [1, 4])
def test_an_instance_that_failed_runs_again_before_those_that_an_earlier_run_has_ended(rundir, tmp_path, jobs):
    steps = [
        over("make", "touch a/$x", [0, 1, 2], outputs=["a/$x"]),
        over("use", "test $x != 0 -o -e go && touch b/$x", [0, 1, 2], inputs=["a/$x"], outputs=["b/$x"]),
    ]
    options = {"rundir": rundir, "state": tmp_path / "state", "jobs": jobs, "fail": "last"}
    assert [step.instance for step in Workflow(steps).run(**options).steps if step.returncode != 0] == [0]
    (rundir / "go").touch()
    result = Workflow(steps).run(**options)
    assert (result.returncode, result.restored, len(result.steps)) == (0, 5, 6)
    assert (rundir / "b" / "0").exists()


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_step_whose_values_cannot_be_listed_ends_once_and_those_behind_it_are_not_run(rundir, jobs):
    steps = [
        CodeStep("list", func=lambda: 5, arg="list", inputs=[], outputs=[]),
        over("make", "touch a/$x", {"value": "list"}, outputs=["a/$x"]),
        over("use", "true", {"value": "list"}, inputs=["a/$x"], outputs=[]),
    ]
    result = Workflow(steps).run(rundir=rundir, jobs=jobs, fail="last")
    assert places(result) == [("list", None, 0), ("make", None, 1)]
    assert [entry["step"] for entry in result.not_run] == ["use"]


@pytest.mark.parametrize(
    ("notebook", "waiting"),
    [
        ("nb/$x.ipynb", {"data/": "data/", "nb/": "nb/"}),
        ("$x.ipynb", {"data/": "data/", "nb/": "nb/", "other/": "other/"}),
    ],
    ids=["in a folder", "anywhere"],
)
def test_notebooks_of_a_list_that_another_step_gives(rundir, notebook, waiting):
    """Until the list is known, each notebook may be read and written in any place that its name allows."""
    over_list = {"names": {"x": {"value": "list"}}}
    readers = [shell(key, "ls", inputs=[key]) for key in ("data/", "nb/", "other/")]
    steps = [
        CodeStep("give", func=lambda: ["a"], arg="list", after=[]),
        NotebookStep("run", notebook, outputs=["data/$x"], foreach=over_list),
        *readers,
    ]
    plan = Workflow(steps).plan({}, rundir=rundir)["steps"]
    assert [(need["step"], need["what"]) for need in plan[1]["needs"]] == [("give", "list")]
    found = {
        reader.name: [need["what"] for need in step["needs"] if need["step"] == "run"]
        for reader, step in zip(readers, plan[2:])
    }
    assert found == {reader.name: [waiting[reader.name]] if reader.name in waiting else [] for reader in readers}
