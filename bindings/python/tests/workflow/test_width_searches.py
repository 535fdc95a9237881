"""Workflows with several volumes, and files that no volume lists and no step makes.

Each step looks for such a file in its own volume first, and what the first one finds counts for all. So the steps look
in the order of a serial run.
"""

import pytest

import flowworker as fw

VOLUMES = ("run", "a", "b", "c")


def shell(name, command, inputs=(), outputs=(), **facts):
    return fw.ContainerStep(name, "", [command], inputs=list(inputs), outputs=list(outputs), **facts)


#: A step behind which others look late. It is in no volume that they look in.
SLOW = shell("slow", "sleep 0.05; echo y > y", outputs=["y"])


class Runs:
    """Runs a workflow serially, and then with many jobs, each time with volumes of its own.

    The name of a step says its volume: `b1` runs in the volume `b`. The others run in the run directory.
    """

    def __init__(self, root):
        self.root, self.count = root, 0

    def __call__(self, *steps, files=None, listed=None, jobs=(1, 8, 8), **options):
        names = [step.name for step in steps]
        workers = fw.WorkerPool(
            [fw.Subprocess(volume, volume=volume) for volume in VOLUMES[1:]],
            {name: name[0] for name in names if name[0] in VOLUMES},
        )
        workflow, found = fw.Workflow(list(steps), workers=workers), []
        for number in jobs:
            self.count += 1
            place = self.root / str(self.count)
            for volume in VOLUMES:
                (place / volume).mkdir(parents=True)
                for key in (files or {}).get(volume, ()):
                    (place / volume / key).parent.mkdir(parents=True, exist_ok=True)
                    (place / volume / key).write_text("{} of {}\n".format(key, volume))
            volumes = [
                {**fw.FStore(place / volume, volume), "files": (listed or {}).get(volume, [])} for volume in VOLUMES[1:]
            ]
            facts = {"rundir": place / "run", "volumes": volumes, "jobs": number}
            self.plan = workflow.plan(None, **facts)
            self.result = workflow.run(**facts, **options)
            if "fail" not in options:
                self.result.check()
            paths = [path for path in sorted(place.rglob("*")) if path.is_file()]
            left = {str(path.relative_to(place)): path.read_text() for path in paths}
            texts = [(step.step.name, step.instance, step.text) for step in self.result.steps]
            found.append((left, texts, self.result.not_run))
        assert found[1:] == found[:1] * (len(found) - 1)
        self.files, self.texts = left, {name: text for name, _, text in texts}
        return self

    def searches(self, name):
        """The steps that look before a step does."""
        step = next(step for step in self.plan["steps"] if step["step"] == name)
        return {(need["step"], need["what"]) for need in step["needs"] if need["kind"] == "search"}


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path)


def test_the_first_step_that_finds_a_file_decides_which_version_counts(runs):
    ran = runs(
        SLOW,
        shell("b1", "cat x", inputs=["y", "x"]),
        shell("a1", "cat x", inputs=["x"]),
        files={"run": ["x"], "a": ["x"], "b": ["x"]},
    )
    assert ran.texts["b1"] == ran.texts["a1"] == "x of b\n" and ran.searches("a1") == {("b1", "x")}


def test_the_first_step_that_finds_a_part_of_a_folder_decides_what_the_folder_is(runs):
    ran = runs(
        SLOW,
        shell("a1", "cat d/x", inputs=["y", "d/x"]),
        shell("b1", "ls d", inputs=["d/"]),
        files={"run": ["d/x", "d/z"]},
    )
    assert ran.texts["b1"] == "x\n" and ran.searches("b1") == {("a1", "d/")}


def test_steps_of_three_volumes_have_the_version_of_the_first(runs):
    ran = runs(
        SLOW,
        shell("c1", "cat x", inputs=["y", "x"]),
        shell("a1", "cat x", inputs=["x"]),
        shell("b1", "cat x", inputs=["x"]),
        shell("c2", "cat x", inputs=["x"]),
        files={volume: ["x"] for volume in VOLUMES},
    )
    assert set(ran.texts.values()) == {"", "x of c\n"}
    assert [ran.searches(name) for name in ("a1", "b1", "c2")] == [{("c1", "x")}, {("c1", "x")}, set()]


def test_a_file_is_that_of_the_volume_of_a_folder_that_was_found_before(runs):
    ran = runs(
        SLOW,
        shell("b1", "ls d", inputs=["y", "d/"]),
        shell("a1", "cat d/x", inputs=["d/x"]),
        files={"run": ["d/x"], "a": ["d/x"], "b": ["d/x"]},
    )
    assert ran.texts["a1"] == "d/x of b\n" and ran.searches("a1") == {("b1", "d/x")}


def test_a_folder_of_which_a_part_is_made_is_that_part(runs):
    """Nobody looks for the folder, so what else a volume has in it does not get to the others."""
    ran = runs(
        shell("a0", "echo x > d/x", outputs=["d/x"]),
        SLOW,
        shell("b1", "ls d", inputs=["y", "d/"]),
        shell("a1", "ls d", inputs=["d/"]),
        shell("c1", "ls d", inputs=["d/"]),
        shell("a2", "cat d/z", inputs=["d/z"]),
        shell("c2", "ls d", inputs=["d/"]),
        files={"a": ["d/z"], "b": ["d/w"]},
    )
    assert [ran.texts[name] for name in ("b1", "a1", "c1", "c2")] == ["w\nx\n", "x\nz\n", "x\n", "x\nz\n"]
    assert ran.searches("c1") == set() and ran.searches("c2") == {("a2", "d/")}
    assert ran.searches("a2") == {("b1", "d/z"), ("a1", "d/z"), ("c1", "d/z")}


def test_the_instances_of_a_step_look_before_those_of_another_volume(runs):
    ran = runs(
        SLOW,
        shell("b1", "cat in/$i", inputs=["y", "in/$i"], foreach={"names": {"i": ["1", "2"]}}),
        shell("a1", "cat in/$i", inputs=["in/$i"], foreach={"names": {"i": ["2", "1"]}}),
        shell("c1", "cat in/2", inputs=["in/2"]),
        files={volume: ["in/1", "in/2"] for volume in VOLUMES},
    )
    assert ran.texts["a1"] == "in/1 of b\n" and ran.texts["c1"] == "in/2 of b\n"
    assert {step for step, _ in ran.searches("a1")} == {"b1"} == {step for step, _ in ran.searches("c1")}


def test_instances_of_an_unknown_list_look_before_those_of_another_volume(runs):
    ran = runs(
        fw.CodeStep("list", lambda: ["1", "2"], arg="names", after=[]),
        SLOW,
        shell("b1", "cat in/$i", inputs=["y", "in/$i"], foreach={"names": {"i": {"value": "names"}}}),
        shell("a1", "cat in/2", inputs=["in/2"]),
        files={volume: ["in/1", "in/2"] for volume in VOLUMES},
    )
    assert ran.texts["a1"] == "in/2 of b\n" and ran.searches("a1") == {("b1", "in/2")}


def test_instances_that_look_for_a_folder_and_for_a_file_in_it_run_in_order(runs):
    steps = [
        shell("a1", "sleep 0.02; ls $i", inputs=["$i"], foreach={"names": {"i": ["d/x", "d"]}}),
        shell("b1", "cat $i", inputs=["$i"], foreach={"names": {"i": ["e/x", "e/z"]}}),
    ]
    ran = runs(*steps, files={"run": ["d/x", "d/z", "e/x", "e/z"]})
    assert ran.texts["a1"] == "x\n"
    assert [step["in_order"] for step in ran.plan["steps"]] == [True, False]


def test_a_listed_file_needs_no_order(runs):
    ran = runs(
        shell("b1", "cat x", inputs=["x"]),
        shell("a1", "cat x", inputs=["x"]),
        files={"a": ["x"], "b": ["x"]},
        listed={"a": ["x"]},
    )
    assert ran.texts == {"b1": "x of a\n", "a1": "x of a\n"} and ran.plan["width"] == 2


def test_a_step_that_has_looked_and_failed_does_not_fail_the_others(runs):
    ran = runs(
        SLOW,
        shell("b1", "cat x; exit 3", inputs=["y", "x"]),
        shell("a1", "cat x", inputs=["x"]),
        files={"a": ["x"], "b": ["x"]},
        fail="last",
    )
    assert ran.texts == {"slow": "", "b1": "x of b\n", "a1": "x of b\n"} and ran.result.not_run == []


def test_a_step_that_comes_after_a_later_one_looks_after_it(runs):
    ran = runs(
        shell("b1", "cat x", inputs=["x"], after=["a1"]),
        shell("a1", "sleep 0.02; cat x", inputs=["x"]),
        files={"a": ["x"], "b": ["x"]},
    )
    assert set(ran.texts.values()) == {"x of a\n"}


def test_a_run_that_goes_on_has_the_versions_that_were_found_before(tmp_path):
    """The second run does what is missing, with the version that the first one has found."""
    places = {name: tmp_path / name for name in ("run", "a", "b")}
    for name, place in places.items():
        place.mkdir()
        (place / "x").write_text("that of {}\n".format(name))
    workers = fw.WorkerPool([fw.Subprocess(name, volume=name) for name in "ab"], {"first": "b", "second": "a"})
    fails = tmp_path / "fails"
    fails.touch()
    steps = [
        shell("first", "cat x", inputs=["x"]),
        shell("second", "cat x; ! test -e {}".format(fails), inputs=["x"]),
    ]
    facts = {
        "rundir": places["run"],
        "volumes": [fw.FStore(places[name], name) for name in "ab"],
        "state": tmp_path / "state",
        "jobs": 4,
    }
    workflow = fw.Workflow(steps, workers=workers)
    assert workflow.run(**facts).steps[1].returncode == 1
    fails.unlink()
    result = workflow.run(**facts).check()
    assert [step.text for step in result.steps] == ["that of b\n"] * 2
    assert result.restored == 1
