"""Command lines that are wrong, and those that say what there is."""

import pytest
from steps_in_shell import COMMANDS


def test_the_version(cli):
    import flowworker

    assert cli("flowworker --version") == (0, "flowworker {}\n".format(flowworker.__version__), "")


def test_the_help_names_each_command(cli):
    status, out, err = cli("flowworker --help")
    assert (status, err) == (0, "")
    assert all("\n  {} ".format(command) in out for command in COMMANDS) and "examples:" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_examples_and_its_statuses(cli, command):
    status, out, err = cli("flowworker {} --help".format(command))
    assert (status, err) == (0, "")
    assert "examples:" in out and "flowworker {} ".format(command) in out
    assert "exit status:" in out or command == "completion"


@pytest.mark.parametrize(
    "words, says",
    [
        ("", "expected a command: run, plan, graph, show, completion"),
        ("rum", "did you mean run?"),
        ("--versoin", "did you mean --version?"),
        ("run", "required: FILE"),
        ("run w.json --job 3", "did you mean --jobs?"),
        ("run w.json --jobs", "--jobs: expected one argument"),
        ("run w.json --jobs many", "--jobs: expected an integer, found 'many'"),
        ("run w.json --fail lats", "did you mean last?"),
        ("run w.json --deadline soon", "--deadline: expected a number, found 'soon'"),
        ("run w.json --deadline nan", "deadline"),
        ("run w.json --deadline -1", "deadline"),
        ("run w.json --color sometimes", "invalid choice: 'sometimes'"),
        ("run w.json name", "expected NAME=VALUE or NAME:=JSON, found 'name'"),
        ("run w.json =3", "expected NAME=VALUE or NAME:=JSON, found '=3'"),
        ("run w.json number:={", "the argument number: expected JSON, found '{'"),
        ("run w.json number=1 number=2", "the argument number is given twice"),
        ("run w.json numer=3", 'did you mean "number"?'),
        ("run w.json number=three", 'expected an integer for the parameter "number", found the string "three"'),
        ("run w.json --html nowhere/page.html", "--html: expected a file in a folder that can be written"),
        ("run w.json --workers nothing.json", "nothing.json: No such file or directory"),
        ("run nothing.json", "nothing.json: No such file or directory"),
        ("run broken.json", "broken.json: line 2, column 1"),
        ("run folder", "folder: Is a directory"),
        ("run w.json --state w.json", "w.json"),
        ("show nothing", "nothing: No such file or directory"),
        ("show w.json", "expected a directory of --state"),
        ("show folder", "expected a directory that run --state has made"),
        ("completion csh", "invalid choice: 'csh'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(cli, workflow, place, words, says):
    """The status is 2, nothing was started, and nothing is on standard output."""
    number = {"name": "number", "dtype": "int", "defaultValue": 1}
    workflow(("a", "touch started"), parameters=[number])
    (place / "broken.json").write_text("{\n")
    (place / "folder").mkdir()
    status, out, err = cli("flowworker " + words)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1 and says in err and err.startswith("flowworker")
    assert not (place / "started").exists()


def test_a_name_is_shown_without_control_characters(cli, place):
    name = "no\033[31mthing\n.json"
    status, _, err = cli(["flowworker", "run", name])
    assert status == 2 and err.count("\n") == 1 and "\033" not in err


def test_bytes_that_are_no_text_are_refused(cli, workflow):
    workflow(("a", "true"), parameters=[{"name": "x", "dtype": "string"}])
    status, _, err = cli(["flowworker", "run", "w.json", b"x=\xff"])
    assert status == 2 and err.count("\n") == 1
