"""The live display in a real terminal: what a user sees, at any width, and what stays behind."""

import json
import os
import signal

import pytest
from steps_in_shell import until


def area(lines):
    """The lines of the live display."""
    return [line for line in lines if line.startswith("> ") or " done, " in line]


def test_it_shows_what_runs_and_its_last_line(terminal, workflow, place):
    workflow(("first", "true"), ("second", r"echo one; printf 'half of a line'; {}; echo".format(until("go"))))
    tmux = terminal(60, 10)
    tmux.type("flowworker run w.json && echo yes")
    lines = tmux.wait_for("half of a line")
    assert lines[-2].startswith("> second 0:0") and lines[-2].endswith(": half of a line")
    assert lines[-1].startswith("1/2 done, 1 running, 0:0")
    (place / "go").touch()
    lines = tmux.wait_for("yes")
    assert area(lines) == [] and lines[1].startswith("succeeded: 2 steps: 2 run, 0 kept, 0 skipped in")
    assert lines[2:] == ["yes", "$"]


def test_a_line_that_a_command_writes_over_is_shown_in_its_last_form(terminal, workflow, place):
    workflow(("bar", r"printf '\r10 percent\r20 percent'; {}; echo".format(until("go"))))
    tmux = terminal(60, 10)
    tmux.type("flowworker run w.json")
    lines = tmux.wait_for("20 percent")
    assert not any("10 percent" in line for line in lines)


def test_a_failure_stays_above_the_display(terminal, workflow, place):
    workflow(("bad", "echo why; exit 3"), ("other", "true"))
    tmux = terminal(100, 20)
    tmux.type("flowworker run w.json || echo status $?")
    lines = tmux.wait_for("status 1")
    assert lines[1].startswith("bad: failed after 0:0") and "exited with status 3" in lines[1]
    assert "  | why" in lines and "failed:" in lines and area(lines) == []


@pytest.mark.parametrize("columns", [20, 11, 5])
def test_a_narrow_terminal_gets_no_broken_line(terminal, workflow, place, columns):
    words = "a long line of output that does not fit"
    workflow(("a-step-with-a-long-name", "echo {}; {}".format(words, until("go"))))
    (place / "run.sh").write_text("clear; exec flowworker run w.json\n")
    tmux = terminal(columns, 8)
    tmux.type(". ./run.sh")
    lines = tmux.wait_for(lambda lines: len(lines) == 2 and lines[0].startswith("> a"[: columns - 1]))
    assert "0/1 done".startswith(lines[1][:8]) and all(len(line) < columns for line in lines)
    (place / "go").touch()
    tmux.wait_for(lambda lines: not any(line.startswith("> a") for line in lines))


def test_wide_characters_are_cut_by_columns(terminal, workflow, place):
    workflow(("漢字", "echo {}; {}".format("漢" * 60, until("go"))))
    tmux = terminal(40, 8)
    tmux.type("flowworker run w.json")
    lines = tmux.wait_for(lambda lines: any("漢漢" in line for line in lines))
    step, counts = lines[-2:]
    assert step.startswith("> 漢字 0:0") and counts.startswith("0/1 done")
    assert len(step) + sum(character in "漢字" for character in step) in (38, 39)


def test_control_bytes_of_a_step_do_not_reach_the_terminal(terminal, workflow, place):
    hostile = r"printf '\033[2J\033]0;stolen\007\033[1;1Hsteered\n'"
    workflow(("a", "{}; {}".format(hostile, until("go"))))
    tmux = terminal(60, 8)
    tmux.type("flowworker run w.json")
    lines = tmux.wait_for("steered")
    assert lines[0].startswith("$ flowworker") and lines[-2].endswith(": steered")
    assert tmux.title() != "stolen"


@pytest.mark.parametrize("columns", [30, 200])
def test_a_new_size_leaves_one_display(terminal, workflow, place, columns):
    words = "words that fill a line of the terminal until its very end and more than that, so that it is cut"
    workflow(("a", "echo {}; {}; echo more {}; {}".format(words, until("go"), words, until("end"))))
    tmux = terminal(80, 12)
    tmux.type("flowworker run w.json")
    tmux.wait_for("words that fill")
    tmux.resize(columns, 12)
    (place / "go").touch()
    lines = tmux.wait_for(lambda lines: any(": more" in line for line in lines))
    assert len(area(lines)) == 2 and all(len(line) < columns for line in area(lines))
    (place / "end").touch()
    lines = tmux.wait_for("succeeded")
    assert area(lines) == [] and not any("words that" in line for line in lines)


def test_more_steps_than_lines(terminal, place):
    """The display never takes more lines than there are, so it is always drawn over itself."""
    steps = [
        {
            "name": "s{}".format(number),
            "files": {"inputs": [], "outputs": ["o{}".format(number)]},
            "after": [],
            "action": {"environment": "", "commands": ["{}; touch o{}".format(until("go"), number)]},
        }
        for number in range(9)
    ]
    (place / "w.json").write_text(json.dumps({"steps": steps}))
    tmux = terminal(40, 6)
    tmux.type("clear; flowworker run w.json --jobs 9")
    lines = tmux.wait_for("9 running")
    assert "  and 7 more" in lines and len(area(lines)) == 3 and len(lines) <= 6
    (place / "go").touch()
    assert area(tmux.wait_for("succeeded: 9 steps")) == []


def test_ctrl_c_once(terminal, workflow, place):
    """In the middle of a line of output, whose step heeds TERM slowly."""
    workflow(("a", "trap 'echo tidied >tidy; exit 0' TERM; printf half; while :; do sleep 0.05; done"))
    tmux = terminal(80, 16)
    tmux.type("flowworker run w.json; echo never")
    tmux.wait_for("half")
    tmux.key("C-c")
    tmux.wait_for("nothing is kept")
    # The shell sees the signal, and so leaves the rest of its list.
    tmux.type("echo status $?")
    lines = tmux.wait_for("status 130")
    assert "never" not in lines and lines[1] == "Ctrl-C: ending 1 step: a; Ctrl-C again kills what still runs"
    assert (place / "tidy").read_text() == "tidied\n" and area(lines) == []


def test_ctrl_c_twice(terminal, workflow, place):
    pool = [{"name": "w", "type": "subprocess", "options": {"grace": 86400}}]
    (place / "pool.json").write_text(json.dumps({"workers": pool, "managers": {"a": "w"}}))
    workflow(("a", "trap '' TERM; printf half; while :; do sleep 0.05; done"))
    tmux = terminal(80, 16)
    tmux.type("flowworker run w.json -w pool.json")
    tmux.wait_for("half")
    tmux.key("C-c")
    tmux.wait_for("again kills")
    tmux.key("C-c")
    tmux.wait_for("nothing is kept")
    tmux.type("echo status $?")
    lines = tmux.wait_for("status 130")
    assert "Ctrl-C: killing what still runs" in lines and area(lines) == []


def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it(terminal, workflow, place):
    workflow(("a", "echo words; " + until("go")))
    tmux = terminal(80, 16)
    tmux.type("flowworker run w.json")
    tmux.wait_for(": words")
    tmux.key("C-z")
    lines = tmux.wait_for("Stopped")
    assert area(lines) == []
    tmux.type("echo between $((1+1)); fg")
    lines = tmux.wait_for(lambda lines: any(line.endswith(": words") for line in lines))
    assert "between 2" in lines and len(area(lines)) == 2
    (place / "go").touch()
    lines = tmux.wait_for("succeeded")
    assert area(lines) == [] and "between 2" in lines


def test_stop_and_continue_from_elsewhere(terminal, workflow, place):
    """SIGSTOP cannot be handled, so the old display stays and a new one is drawn below it."""
    workflow(("a", "echo words; {}; echo others; {}".format(until("go"), until("end"))))
    tmux = terminal(80, 16)
    tmux.type("flowworker run w.json")
    tmux.wait_for(": words")
    os.killpg(tmux.foreground(), signal.SIGSTOP)
    tmux.wait_for("Stopped")
    (place / "go").touch()
    tmux.type("kill -CONT %1; fg")
    tmux.wait_for(": others")
    (place / "end").touch()
    tmux.wait_for("succeeded: 1 step")


def test_in_the_background_nothing_is_drawn_over_the_shell(terminal, workflow, place):
    workflow(("a", "echo words; touch there; {}; exit 1".format(until("go"))))
    tmux = terminal(80, 16)
    tmux.type("flowworker run w.json &")
    tmux.type(until("there") + "; sleep 0.3; echo typed $((1+1))")
    lines = tmux.wait_for("typed 2")
    assert area(lines) == []
    (place / "go").touch()
    lines = tmux.wait_for("failed:")
    assert area(lines) == []


@pytest.mark.parametrize("variables", [{"CI": "true"}, {"TERM": "dumb"}])
def test_where_lines_cannot_be_written_again_they_are_plain(terminal, workflow, place, wait_until, variables):
    workflow(("a", "echo words; touch there; " + until("go")))
    tmux = terminal(80, 16)
    words = " ".join("{}={}".format(*pair) for pair in variables.items())
    tmux.type("{} flowworker run w.json".format(words))
    wait_until((place / "there").exists)
    (place / "go").touch()
    lines = tmux.wait_for("succeeded")
    assert len(lines) in (2, 3) and area(lines) == []


def test_the_progress_can_be_plain_lines_or_live(terminal, workflow, place):
    workflow(("a", "echo words; " + until("go")))
    tmux = terminal(80, 16)
    tmux.type("CI=true flowworker run w.json --progress live")
    tmux.wait_for(": words")
    (place / "go").touch()
    assert area(tmux.wait_for("succeeded")) == []
