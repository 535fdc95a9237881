"""`flowworker show`: what a state directory, a result, and the lines of `run --json` hold."""

import json

import pytest
from steps_in_shell import shell


@pytest.fixture
def failed(workflow):
    files = [{"inputs": [], "outputs": [name]} for name in ("x", "y")]
    workflow(shell("first", "touch x", files=files[0]), shell("second", "echo bad >&2; exit 3", files=files[1]))


def test_a_state_directory(cli, failed):
    cli("flowworker run w.json --state state")
    status, out, err = cli("flowworker show state")
    lines = out.splitlines()
    assert (status, err, len(lines)) == (0, "", 2)
    assert lines[0].startswith("first  ok ") and lines[1] == "1 step kept in state"


def test_a_state_directory_as_json(cli, failed):
    cli("flowworker run w.json --state state")
    document = json.loads(cli("flowworker show state --json")[1])
    assert [step["step"] for step in document["steps"]] == ["first"]


def test_a_state_directory_is_shown_in_the_order_of_the_document(cli, workflow):
    over = {"names": {"n": list(range(9))}}
    many = shell("b", "", foreach=over, files={"inputs": ["z"], "outputs": ["b$n"]})
    many["action"]["commands"] = ["touch b$n"]
    workflow(
        shell("z", "touch z", files={"inputs": [], "outputs": ["z"]}),
        many,
        shell("a", "cat b* >all", files={"inputs": ["b%d" % n for n in range(9)], "outputs": ["all"]}, after=[]),
    )
    cli("flowworker run w.json --state state --jobs 3")
    steps = json.loads(cli("flowworker show state --json")[1])["steps"]
    order = [("z", 0, None)] + [("b", 1, n) for n in range(9)]
    assert [(step["step"], step["index"], step["instance"]) for step in steps][:10] == order
    assert cli("flowworker show state")[1].splitlines()[1].startswith("b[0] (n=0) ")


def test_a_state_directory_in_which_nothing_has_ended(cli, workflow):
    workflow(("a", "exit 1"))
    cli("flowworker run w.json --state state")
    assert cli("flowworker show state") == (0, "0 steps kept in state\n", "")


@pytest.mark.parametrize("take", ["cat", "tail -n 1"])
def test_what_a_run_has_written(cli, failed, take):
    cli("flowworker run w.json --json >events.jsonl; {} events.jsonl >taken".format(take))
    status, out, err = cli("flowworker show taken")
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[0].startswith("first   ok ") and lines[1].startswith("second  failed ")
    assert lines[-1].startswith("2 steps: 2 run, 0 kept, 0 skipped in ")


def test_a_result(cli, failed, place):
    from flowworker import Workflow

    result = Workflow.from_template(str(place / "w.json")).run(rundir=str(place))
    (place / "result.json").write_text(json.dumps(result.to_dict(), indent=1))
    assert "second  failed" in cli("flowworker show result.json")[1]


def test_a_run_that_has_not_ended(cli, failed):
    cli("flowworker run w.json --json | head -n 2 >events.jsonl")
    status, out, err = cli("flowworker show events.jsonl")
    assert (status, out, err.count("\n")) == (2, "", 1) and "what run --json has written to its end" in err


def test_a_run_that_was_not_started(cli, failed):
    cli("flowworker run w.json --jobs 0 --json >events.jsonl")
    status, out, err = cli("flowworker show events.jsonl")
    assert (status, out, err.count("\n")) == (2, "", 1) and "the run has no result: " in err
