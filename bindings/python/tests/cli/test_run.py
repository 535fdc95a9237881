"""`flowworker run`: its exit statuses in a shell, the report, and what it says on the way."""

import json
import os
import re

import pytest
from steps_in_shell import shell, until


def test_success_lets_a_shell_go_on(cli, workflow):
    workflow(("a", "true"), ("b", "echo unseen"))
    status, out, err = cli("flowworker run w.json && echo yes")
    assert status == 0 and err == ""
    assert re.fullmatch(r"succeeded: 2 steps: 2 run, 0 kept, 0 skipped in 0:\d\d\nyes\n", out)


@pytest.mark.parametrize("code", [1, 2, 130])
def test_a_failing_step_is_status_1_whatever_its_own_is(cli, workflow, code):
    workflow(("a", "exit {}".format(code)))
    assert cli("flowworker run w.json >report && echo yes; echo $?")[1] == "1\n"


def test_a_wrong_document_is_status_2(cli, workflow):
    workflow({"name": "a", "acton": {}})
    status, out, err = cli("flowworker run w.json && echo yes; echo $?")
    assert (out, err.count("\n")) == ("2\n", 1)


def test_the_report_has_each_failure_in_full_and_totals_that_add_up(cli, workflow):
    workflow(
        ("a", "echo first"), ("b", "seq 20 | sed 's/^/line /'; echo bad >&2; exit 3"), ("c", "true"), ("d", "true")
    )
    status, out, err = cli("flowworker run w.json")
    assert status == 1
    lines = out.splitlines()
    assert lines[0] == "failed:" and lines[1].startswith("  b: command 1 of 1 exited with status 3")
    assert lines[2] == "not run:" and [line[:5] for line in lines[3:5]] == ["  c: ", "  d: "]
    assert re.fullmatch(r"4 steps: 2 run, 0 kept, 2 skipped in 0:\d\d", lines[5])
    said = err.splitlines()
    assert re.match(r"b: failed after 0:\d\d: command 1 of 1 exited with status 3", said[0])
    assert len(said) == 11 and said[-1] == "  | bad" and said[-2] == "  | line 20"


def test_the_last_lines_are_in_the_order_in_which_they_began(cli, workflow):
    workflow(("a", r"printf 'half of a line'; sleep 0.2; echo why >&2; sleep 0.2; printf '\rits end'; exit 3"))
    assert cli("flowworker run w.json")[2].splitlines()[1:] == ["  | its end", "  | why"]


def test_a_new_attempt_is_said(cli, workflow):
    retries = {"max": 2, "delay": 0.01}
    workflow(shell("a", "echo x >>tries; test $(wc -l <tries) = 2", retries=retries))
    status, out, err = cli("flowworker run w.json")
    assert status == 0 and re.match(r"a: command 1 of 1 exited with status 1.*; attempt 2 in 0.01 s\n", err)


def test_a_quiet_run_says_nothing(cli, workflow):
    workflow(("a", "echo bad; exit 3"))
    status, out, err = cli("flowworker run w.json --progress none")
    assert (status, err) == (1, "") and out.startswith("failed:\n")


def test_standard_input_is_not_read(cli, workflow):
    workflow(("a", "true"))
    assert cli("echo words | (flowworker run w.json >report; cat)")[1] == "words\n"
    assert cli("flowworker run w.json <&- >report && echo yes")[1] == "yes\n"


def test_without_standard_output_it_runs(cli, workflow, place):
    workflow(("a", "touch there"))
    status, out, err = cli("flowworker run w.json >&-")
    assert (status, out, err) == (0, "", "") and (place / "there").exists()


def test_a_full_disk_under_the_report_is_a_failure(cli, workflow):
    workflow(("a", "true"))
    status, _, err = cli("flowworker run w.json >/dev/full")
    assert status == 1 and err == "flowworker run: standard output cannot be written: No space left on device\n"


def test_control_bytes_of_a_step_are_not_written(cli, workflow):
    workflow(("a\033[31m", r"printf '\033]0;title\007\033[2Jwords\r\033[Kend\t.\n'; exit 1"))
    status, out, err = cli("flowworker run w.json")
    assert status == 1 and "  | end .\n" in err
    assert "\033" not in out + err and "\r" not in out + err and "title" not in err.splitlines()[-1]


@pytest.mark.parametrize("switch", [{"CI": "", "NO_COLOR": ""}, {"CI": "true"}])
def test_forced_colours_do_not_force_the_live_display(cli, workflow, switch):
    workflow(("a", "exit 1"))
    status, out, err = cli("flowworker run w.json", FORCE_COLOR="1", **switch)
    assert "\033[31m" in out and "\033[31m" in err
    assert "\r" not in err and "\033[J" not in err


@pytest.mark.parametrize("options", ["--color never", ""])
def test_colours_can_be_switched_off(cli, workflow, options):
    workflow(("a", "exit 1"))
    status, out, err = cli("flowworker run w.json " + options, FORCE_COLOR="1" if options else "", NO_COLOR="1")
    assert "\033" not in out + err


def test_colours_can_be_asked_for(cli, workflow):
    workflow(("a", "exit 1"))
    assert "\033[31m" in cli("flowworker run w.json --color always", NO_COLOR="1", TERM="dumb")[1]


# -- arguments


ALL = [
    {"name": "int", "dtype": "int"},
    {"name": "float", "dtype": "float"},
    {"name": "bool", "dtype": "bool"},
    {"name": "string", "dtype": "string"},
    {"name": "select", "dtype": "select", "values": [{"value": 1}, {"value": "two"}]},
    {"name": "list", "dtype": "list", "para": {"name": "one", "dtype": "int"}},
]


def arguments_of(cli, words):
    status, out, err = cli(["flowworker", "run", "w.json", "--json", *words])
    assert (status, err) == (0, "")
    return json.loads(out.splitlines()[-1])["result"]["arguments"]


def test_arguments_are_converted_as_the_template_declares(cli, workflow):
    workflow(("a", "true"), parameters=ALL)
    words = ["int= 5 ", "float=1e3", "bool=True", "string=1=2", "select=1", "list=[1, 2]"]
    expected = {"int": 5, "float": 1000.0, "bool": True, "string": "1=2", "select": 1, "list": [1, 2]}
    assert arguments_of(cli, words) == expected


def test_json_gives_values(cli, workflow):
    workflow(("a", "true"), parameters=ALL)
    words = ["int:=5", "float:=0.5", "bool:=false", "string:=12", 'select:="two"', "list:=[]"]
    expected = {"int": 5, "float": 0.5, "bool": False, "string": "12", "select": "two", "list": []}
    assert arguments_of(cli, words) == expected


def test_arguments_stand_anywhere_behind_the_command(cli, workflow):
    workflow({"name": "a", "action": {"environment": "", "commands": ["echo $x $y >out; test $x$y = 12"]}})
    assert cli("flowworker run --progress none w.json x=1 --color never y=2")[0] == 0


@pytest.mark.parametrize(
    "more, words, says",
    [
        ({}, "wrod=x", "no step uses the argument wrod; did you mean word?"),
        ({"parameters": {"word": "$[[other]]"}}, "othre=x", "no step uses the argument othre; did you mean other?"),
        ({"parameters": {"word": "hello"}}, "word=x", "no step uses the argument word"),
    ],
)
def test_an_argument_that_nothing_uses_is_refused(cli, place, more, words, says):
    """Also where the workflow declares no parameters."""
    step = {"name": "a", "action": {"environment": "", "commands": ["touch started; echo $word"]}}
    (place / "w.json").write_text(json.dumps({"steps": [step], **more}))
    assert cli("flowworker run w.json " + words) == (2, "", "flowworker run: {}\n".format(says))
    assert not (place / "started").exists()


def test_a_list_as_text_is_refused(cli, workflow):
    workflow(("a", "true"), parameters=ALL)
    status, _, err = cli("flowworker run w.json list=1,2")
    assert status == 2 and "a list is given as JSON" in err and err.count("\n") == 1


# -- options


def test_the_run_directory_and_the_workers(cli, workflow, place):
    workflow({"name": "a", "action": {"environment": "", "commands": ["echo $word >out"]}})
    pool = {"workers": [{"name": "w", "type": "subprocess", "variables": {"word": "hello"}}], "managers": {"a": "w"}}
    (place / "pool.json").write_text(json.dumps(pool))
    (place / "run").mkdir()
    assert cli("flowworker run w.json -w pool.json --rundir run")[0] == 0
    assert (place / "run" / "out").read_text() == "hello\n"


def test_yaml_is_read(cli, place):
    pytest.importorskip("yaml")
    (place / "w.yaml").write_text("steps:\n- name: a\n  action: {environment: '', commands: [touch there]}\n")
    assert cli("flowworker run w.yaml")[0] == 0
    assert (place / "there").exists()


def test_functions_beside_the_workflow_are_found(cli, place):
    (place / "sub").mkdir()
    (place / "sub" / "sums_of_mine.py").write_text("def add(x, y):\n    return int(x) + int(y)\n")
    step = {"name": "a", "action": {"func": "sums_of_mine.add", "arg": "sum"}}
    show = {"name": "b", "action": {"environment": "", "commands": ["echo $sum >out"]}}
    (place / "sub" / "w.json").write_text(json.dumps({"steps": [step, show]}))
    status, _, err = cli("flowworker run sub/w.json x=3 y=4")
    assert (status, err) == (0, "") and (place / "out").read_text() == "7\n"


def test_the_deadline(cli, workflow):
    workflow(("a", "sleep 600"))
    status, out, _ = cli("flowworker run w.json --deadline 0.2")
    assert status == 1 and "a: " in out


@pytest.mark.parametrize("command, status", [("true", 0), ("exit 1", 1)])
def test_the_page_is_written_however_the_run_ends(cli, workflow, place, command, status):
    workflow(("a", command))
    (place / "page.html").write_text("old")
    os.umask(os.umask(0o022))
    assert cli("flowworker run w.json --html page.html")[0] == status
    page = (place / "page.html").read_text()
    assert page.startswith("<!") and ("succeeded" in page) == (status == 0)
    assert [name.name for name in place.iterdir() if name.name.startswith(".")] == []


def test_a_page_that_cannot_be_written_is_a_failure(cli, workflow, place):
    workflow(("a", "rmdir pages"))
    (place / "pages").mkdir()
    status, _, err = cli("flowworker run w.json --html pages/page.html")
    assert status == 1 and "page.html' cannot be written: No such file or directory" in err


def test_a_run_goes_on_with_its_state(cli, workflow, place):
    files = [{"outputs": [name]} for name in ("x", "y")]
    workflow(shell("a", "echo >>x", files=files[0]), shell("b", "test -e fixed && touch y", files=files[1]))
    status, out, err = cli("flowworker run w.json --state state")
    assert status == 1 and err.endswith("1 step is kept in state: the same command goes on with the rest\n")
    (place / "fixed").touch()
    status, out, err = cli("flowworker run w.json --state state")
    assert status == 0 and re.match(r"succeeded: 2 steps: 1 run, 1 kept, 0 skipped in ", out)
    assert (place / "x").read_text() == "\n"


def test_a_state_in_use_is_refused(cli, start, workflow, place, wait_until):
    workflow(("a", "touch begun; " + until("go")))
    first = start("flowworker run w.json --state state")
    wait_until((place / "begun").exists)
    status, out, err = cli("flowworker run w.json --state state")
    assert (status, out, err.count("\n")) == (2, "", 1) and "is in use by another run" in err
    (place / "go").touch()
    assert first.wait() == 0


# -- for programs


def test_json_is_one_object_a_line_from_the_first_moment(start, workflow, place):
    workflow(("a", "echo begun; " + until("go")), ("b", r"printf 'no end \377'"))
    process = start("flowworker run w.json --json")
    records = []
    while not records or records[-1].get("data") != "begun":
        records.append(json.loads(process.stdout.readline()))
    (place / "go").touch()
    records += map(json.loads, process.stdout)
    assert process.wait() == 0 and process.stderr.read() == ""
    assert records[0]["event"] == "run_started" and records[0]["steps"] == ["a", "b"]
    assert [record["sequence"] for record in records[:-1]] == list(range(1, len(records)))
    assert any(record.get("data") == "no end \ufffd" for record in records)
    last = records[-1]
    assert (last["event"], last["status"], last["error"]) == ("result", 0, None)
    assert [step["step"] for step in last["result"]["steps"]] == ["a", "b"]


def test_json_says_why_nothing_was_started(cli, workflow):
    workflow(("a", "true"), parameters=[{"name": "x", "dtype": "int"}])
    status, out, err = cli("flowworker run w.json --json x=y")
    last = json.loads(out)
    assert (status, last["status"], last["result"]) == (2, 2, None)
    assert err == "flowworker run: {}\n".format(last["error"])


def test_json_of_a_failure(cli, workflow):
    workflow(("a", "exit 7"))
    status, out, err = cli("flowworker run w.json --json --progress none")
    last = json.loads(out.splitlines()[-1])
    assert (status, last["status"], last["result"]["returncode"], err) == (1, 1, 7, "")
