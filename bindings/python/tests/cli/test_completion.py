"""The completion of bash, zsh and fish, each asked in the shell itself."""

import shutil

import pytest

BASH = """
source <(flowworker completion bash)
COMP_WORDS=({words}) COMP_CWORD={index} COMPREPLY=()
compopt() {{ :; }}
_flowworker
printf '%s\\n' "${{COMPREPLY[@]}}"
"""

CASES = [
    (["ru"], ["run"]),
    (["run", "--de"], ["--deadline"]),
    (["run", "--fail", ""], ["last", "now", "stop"]),
    (["run", "w"], ["w.json"]),
    (["run", "w.json", "--state", "st"], ["state"]),
    (["run", "--workers", "p"], ["pool file.json"]),
    (["graph", "--format", "d"], ["dot"]),
    (["completion", "z"], ["zsh"]),
    (["show", "st"], ["state"]),
]


@pytest.fixture
def files(place):
    (place / "w.json").touch()
    (place / "pool file.json").touch()
    (place / "state").mkdir()


@pytest.mark.parametrize("words, found", CASES)
def test_bash(cli, files, words, found):
    quoted = " ".join("'{}'".format(word) for word in ["flowworker", *words])
    script = BASH.format(words=quoted, index=len(words))
    status, out, err = cli(["bash", "--norc", "-c", script])
    assert (status, sorted(out.splitlines()), err) == (0, found, "")


def test_bash_in_a_terminal(terminal, files):
    tmux = terminal(80, 10)
    tmux.type("source <(flowworker completion bash)")
    tmux.wait_for(lambda lines: lines[-1] == "$")
    tmux.press("flowworker ru", "Tab")
    tmux.wait_for(lambda lines: lines[-1] == "$ flowworker run")
    tmux.press("w", "Tab")
    tmux.wait_for(lambda lines: lines[-1] == "$ flowworker run w.json")
    tmux.press("--workers po", "Tab")
    tmux.wait_for(lambda lines: lines[-1] == r"$ flowworker run w.json --workers pool\ file.json")


@pytest.mark.parametrize("words, found", CASES)
def test_fish(cli, files, words, found):
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    line = " ".join(word or "''" for word in ["flowworker", *words])
    line = line[:-2] if words[-1] == "" else line
    script = "flowworker completion fish | source; complete -C {}".format("'{}'".format(line))
    status, out, err = cli(["fish", "--no-config", "-c", script])
    assert status == 0
    assert sorted(word.split("\t")[0].replace("\\ ", " ").rstrip("/") for word in out.splitlines()) == found


def test_zsh_in_a_terminal(terminal, files):
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    tmux = terminal(80, 20)
    tmux.type("exec zsh -f")
    tmux.type("PS1='$ '; autoload -Uz compinit; compinit -D; zstyle ':completion:*' menu no; setopt noautomenu")
    tmux.type("source <(flowworker completion zsh); clear; echo ready")
    tmux.wait_for(lambda lines: lines[0] == "ready")
    for typed, found in [
        ("flowworker ru", "$ flowworker run"),
        ("--de", "$ flowworker run --deadline"),
        ("5 w", "$ flowworker run --deadline 5 w.json"),
        ("--fail no", "$ flowworker run --deadline 5 w.json --fail now"),
        ("-w po", r"$ flowworker run --deadline 5 w.json --fail now -w pool\ file.json"),
    ]:
        tmux.press(typed, "Tab")
        tmux.wait_for(lambda lines, found=found: lines[-1] == found)


def test_each_script_is_accepted_by_its_shell(cli):
    for shell in ("bash", "zsh", "fish"):
        if shutil.which(shell) is not None:
            assert cli("flowworker completion {0} | {0} -n".format(shell)) == (0, "", "")
