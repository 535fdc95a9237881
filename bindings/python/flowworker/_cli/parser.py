"""Reads the command line. A mistake in it is one line, with what was probably meant."""

from __future__ import annotations

import argparse
import difflib
import re
from typing import Any, List, NoReturn

from . import options
from .status import WrongInput

_DESCRIPTION = "Run workflows, and show what they would do and have done."
_EPILOG = """\
`flowworker COMMAND --help` says everything about a command.

examples:
  flowworker run hello.json name=World
  flowworker run train.yaml --jobs 8 --state state
  flowworker plan train.yaml --jobs 8
"""


class _Parser(argparse.ArgumentParser):
    """A parser that raises `WrongInput` with one line."""

    #: The words among which the closest is looked for.
    words: List[str]

    def error(self, message: str) -> NoReturn:
        raise WrongInput("{}{} ({} --help says more)".format(message, self._hint(message), self.prog))

    def _hint(self, message: str) -> str:
        """Returns what was meant by a word that is quoted in, or at the end of, a message of argparse."""
        found = re.search(r"invalid choice: '([^']*)'", message) or re.search(r"arguments: (-[^\s=]*)", message)
        close = difflib.get_close_matches(found.group(1), self.words, 1) if found else []
        return "; did you mean {}?".format(close[0]) if close else ""


def parse(arguments: List[str], version: str) -> Any:
    """Returns the command (`command`) and its options, by their long names.

    `--help` and `--version` print and raise SystemExit, as argparse does it.
    """
    top = _parser("flowworker", _DESCRIPTION, _EPILOG)
    top.usage = "flowworker [--help] [--version] COMMAND ..."
    top.add_argument("--version", action="version", version="flowworker " + version, help="print the version and exit")
    group = top.add_argument_group("commands")
    for name, known in options.COMMANDS.items():
        group.add_argument(name, nargs="?", help=known.summary)
    top.words = [*options.COMMANDS, "--help", "--version"]
    if not arguments:
        raise WrongInput("expected a command: {} (flowworker --help says more)".format(", ".join(options.COMMANDS)))
    if arguments[0] not in options.COMMANDS:
        if arguments[0].startswith("-"):
            top.parse_args(arguments[:1])
        top.error("invalid choice: {!r}: expected a command: {}".format(arguments[0], ", ".join(options.COMMANDS)))
    command = _command_parser(arguments[0])
    found = command.parse_intermixed_args(arguments[1:])
    found.command = arguments[0]
    return found


def _parser(program: str, description: str, epilog: str) -> _Parser:
    return _Parser(
        prog=program,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _command_parser(name: str) -> _Parser:
    known = options.COMMANDS[name]
    parser = _parser("flowworker " + name, known.summary[0].upper() + known.summary[1:] + ".", known.epilog)
    parser.words = ["--help"]
    for operand in known.operands:
        parser.words += operand.choices
        more: Any = {"nargs": operand.nargs} if operand.nargs else {}
        if operand.choices:
            more["choices"] = operand.choices
        action = parser.add_argument(_name(operand.name), metavar=operand.name, help=operand.help, **more)
        action.required = operand.nargs == ""
    for option in known.options:
        parser.words += [*option.flags, *option.choices]
        if option.metavar is None:
            parser.add_argument(*option.flags, action="store_true", help=option.help)
        else:
            parser.add_argument(
                *option.flags,
                metavar=option.metavar,
                choices=option.choices or None,
                action="append" if option.is_repeated else "store",
                help=option.help,
            )
    return parser


def _name(operand: str) -> str:
    return "arguments" if operand == options.ARGUMENTS.name else operand.lower()
