"""The commands and their options, written once: the parser, the help and the shells' completion are made from them."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Tuple

#: What an argument names, for the completion.
FILE, FOLDER, TEXT = "file", "folder", "text"


class Option(NamedTuple):
    """An option, such as `--jobs N`.

    - `metavar`: the word for its value, or None for a switch;
    - `kind`: what the value names; `choices`: the values that there are, or none for any;
    - `is_repeated`: whether it may be given several times.
    """

    flags: Tuple[str, ...]
    help: str
    metavar: Optional[str] = None
    kind: str = TEXT
    choices: Tuple[str, ...] = ()
    is_repeated: bool = False


class Operand(NamedTuple):
    """An argument without a flag; `nargs` is that of argparse: "" for exactly one, "*" for any number."""

    name: str
    help: str
    nargs: str = ""
    kind: str = TEXT
    choices: Tuple[str, ...] = ()


class Command(NamedTuple):
    """A command: what it does in one line, the text behind the list of its options, and its arguments."""

    summary: str
    epilog: str
    operands: List[Operand]
    options: List[Option]


WORKFLOW = Operand("FILE", "the workflow or template, in JSON or (with PyYAML) in YAML", kind=FILE)
ARGUMENTS = Operand(
    "NAME=VALUE",
    "an argument of the workflow: text that is converted as the template declares the parameter. NAME:=JSON gives a "
    "value of JSON",
    "*",
)
COLOR = Option(
    ("--color",),
    "colours: auto (the default) for a terminal, always, or never. NO_COLOR and FORCE_COLOR are respected",
    "WHEN",
    choices=("auto", "always", "never"),
)
WORKERS = Option(
    ("-w", "--workers"), "the engine configuration: workers, which steps they run, volumes, resources", "FILE", FILE
)
RUNDIR = Option(("-C", "--rundir"), "the run directory, in which the files of the workflow are", "DIR", FOLDER)
JOBS = Option(("-j", "--jobs"), "how many steps may run at the same time (the default is 1)", "N")
JSON = Option(("--json",), "write JSON for programs to standard output")

RUN_STATUSES = """\
exit status:
  0    everything that was asked for is there
  1    a step failed
  2    the command line or a document is wrong; nothing was started
  130  interrupted by Ctrl-C (143: by SIGTERM, 129: by SIGHUP)
  141  the reader of standard output has gone
"""

COMMANDS: Dict[str, Command] = {
    "run": Command(
        "run a workflow",
        """\
The progress goes to standard error, and the report to standard output. On a terminal the
running steps are shown live; elsewhere there is a line for each failure, for each new
attempt and for each step that took long, and a summary at most every 10 seconds.

Ctrl-C ends the steps that run and waits until they have ended; a second one kills them.
With --state the steps that have ended are kept, and the same command goes on with the rest.

examples:
  flowworker run hello.json
  flowworker run train.yaml epochs=10 rates:='[0.1, 0.2]' --jobs 8 --state state
  flowworker run train.yaml --jobs 8 --resource gpus=2 --fail last --html page.html
  flowworker run train.yaml --json >events.jsonl

"""
        + RUN_STATUSES,
        [WORKFLOW, ARGUMENTS],
        [
            JOBS,
            WORKERS,
            RUNDIR,
            Option(("--state",), "a directory that keeps what has ended, so that another run goes on", "DIR", FOLDER),
            Option(("--html",), "write the page of the run, also of one that failed", "FILE", FILE),
            Option(
                ("--fail",),
                "what a failure does: stop (the default) starts nothing more, now also cancels what runs, last goes on "
                "with all that does not need what failed",
                "MODE",
                choices=("stop", "now", "last"),
            ),
            Option(
                ("--resource",),
                "how much of a resource there is, for steps that ask for it; may be given several times",
                "NAME=AMOUNT",
                is_repeated=True,
            ),
            Option(("--deadline",), "the time limit of the whole run, in seconds", "SECONDS"),
            Option(("--timeout",), "the time limit of each step, in seconds", "SECONDS"),
            Option(
                ("--placeholders",),
                "strict refuses a placeholder without a value; lenient leaves its name in the command",
                "MODE",
                choices=("lenient", "strict"),
            ),
            Option(("--json",), "write each event as a line of JSON; the last line is the result"),
            Option(
                ("--progress",),
                "how progress is shown: auto (the default), live, lines, or none",
                "HOW",
                choices=("auto", "live", "lines", "none"),
            ),
            COLOR,
        ],
    ),
    "plan": Command(
        "show what would run, in which order, and why",
        """\
Nothing is started. For each step there is what it needs and why, and a step that waits for all
others (a barrier) says so. --json writes the whole plan.

examples:
  flowworker plan train.yaml epochs=10
  flowworker plan train.yaml --jobs 8 --json

exit status:
  0    the plan was written
  2    the command line or a document is wrong
""",
        [WORKFLOW, ARGUMENTS],
        [JOBS, WORKERS, RUNDIR, JSON, COLOR],
    ),
    "graph": Command(
        "draw which step needs which",
        """\
examples:
  flowworker graph train.yaml
  flowworker graph train.yaml --format dot | dot -Tsvg >train.svg
  flowworker graph train.yaml --format mermaid

exit status:
  0    the graph was written
  2    the command line or a document is wrong
""",
        [WORKFLOW, ARGUMENTS],
        [
            Option(
                ("--format",),
                "text (the default), dot (Graphviz), or mermaid",
                "FORMAT",
                choices=("text", "dot", "mermaid"),
            ),
            WORKERS,
            RUNDIR,
        ],
    ),
    "show": Command(
        "show which steps have ended",
        """\
examples:
  flowworker show state                     a directory of --state
  flowworker show events.jsonl              what run --json has written
  flowworker show result.json --json

exit status:
  0    it was shown
  2    the command line is wrong, or STATE is none of these
""",
        [
            Operand(
                "STATE",
                "a directory that run --state has filled, a result in JSON, or what run --json has written",
                kind=FILE,
            )
        ],
        [JSON, COLOR],
    ),
    "completion": Command(
        "print the completion of a shell",
        """\
examples:
  bash:  source <(flowworker completion bash)
  zsh:   flowworker completion zsh >"${fpath[1]}/_flowworker"
  fish:  flowworker completion fish >~/.config/fish/completions/flowworker.fish
""",
        [Operand("SHELL", "bash, zsh or fish", choices=("bash", "zsh", "fish"))],
        [],
    ),
}
