"""The command `completion`: the scripts that complete command lines in bash, zsh and fish."""

from __future__ import annotations

import sys
from typing import Any, Callable, Dict, List

from .options import COMMANDS, FILE, FOLDER, Command, Option
from .records import Output


def completion(options: Any) -> int:
    """Writes the script of a shell, and returns the exit status."""
    output = Output(sys.stdout)
    output.write(_SHELLS[options.shell]())
    return output.status()


def _help() -> Option:
    return Option(("-h", "--help"), "show the help and exit")


def _options(command: Command) -> List[Option]:
    return [*command.options, _help()]


def _quoted(text: str) -> str:
    """Returns a text in single quotes, as bash and zsh read it."""
    return "'" + text.replace("'", "'\\''") + "'"


# -- bash


def _bash() -> str:
    cases = []
    for name, command in COMMANDS.items():
        words = [flag for option in _options(command) for flag in option.flags]
        operands = [choice for operand in command.operands for choice in operand.choices]
        is_file = any(operand.kind == FILE for operand in command.operands)
        values = (name, _bash_values(command), _quoted(" ".join(words)), _quoted(" ".join(operands)), int(is_file))
        cases.append(_BASH_CASE.format(*values))
    return _BASH.format(commands=" ".join(COMMANDS), cases="".join(cases))


def _bash_values(command: Command) -> str:
    lines = []
    for option in command.options:
        if option.metavar is None:
            continue
        action = "_flowworker_paths " + ("d" if option.kind == FOLDER else "f")
        if option.choices:
            action = 'COMPREPLY=($(compgen -W {} -- "$current"))'.format(_quoted(" ".join(option.choices)))
        elif option.kind not in (FILE, FOLDER):
            action = ":"
        lines.append("        {}) {}; return ;;\n".format(" | ".join(option.flags), action))
    return "".join(lines)


_BASH_CASE = """\
    {})
      case $previous in
{}      esac
      words={} operands={} files={}
      ;;
"""
_BASH = """\
# The completion of flowworker in bash: source <(flowworker completion bash)
_flowworker_paths() {{
  local IFS=$'\\n'
  compopt -o filenames
  COMPREPLY=($(compgen -"$1" -- "$current"))
}}
_flowworker() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}} words operands files
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '{commands} --help --version' -- "$current"))
    return
  fi
  case ${{COMP_WORDS[1]}} in
{cases}    *) return ;;
  esac
  case $current in
    -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    *)
      if [ -n "$operands" ]; then
        COMPREPLY=($(compgen -W "$operands" -- "$current"))
      elif [ "$files" -eq 1 ]; then
        _flowworker_paths f
      fi
      ;;
  esac
}}
complete -F _flowworker flowworker
"""


# -- zsh


def _zsh() -> str:
    commands = "".join("    {}\n".format(_quoted("{}:{}".format(name, one.summary))) for name, one in COMMANDS.items())
    cases = []
    for name, command in COMMANDS.items():
        specs = [_zsh_option(option) for option in _options(command)]
        for operand in command.operands:
            values = "({})".format(" ".join(operand.choices)) if operand.choices else _ZSH_KINDS.get(operand.kind, " ")
            specs.append(_quoted("{}:{}:{}".format("*" if operand.nargs else "", _zsh_text(operand.name), values)))
        cases.append("    {}) _arguments -s {} ;;\n".format(name, " ".join(specs)))
    return _ZSH.format(commands=commands, cases="".join(cases))


_ZSH_KINDS = {FILE: "_files", FOLDER: "_files -/"}


def _zsh_option(option: Option) -> str:
    value = ""
    if option.metavar is not None:
        values = "({})".format(" ".join(option.choices)) if option.choices else _ZSH_KINDS.get(option.kind, " ")
        value = ":{}:{}".format(_zsh_text(option.metavar), values)
    text = "[{}]".format(_zsh_text(option.help))
    if len(option.flags) == 1:
        return _quoted("{}{}{}{}".format("*" if option.is_repeated else "", option.flags[0], text, value))
    both = "({})".format(" ".join(option.flags))
    return _quoted(both) + "{" + ",".join(option.flags) + "}" + _quoted(text + value)


def _zsh_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")


_ZSH = """\
#compdef flowworker
# The completion of flowworker in zsh: flowworker completion zsh >"${{fpath[1]}}/_flowworker"
_flowworker() {{
  local context state line
  local -a commands=(
{commands}  )
  _arguments -C '--version[print the version and exit]' '(-h --help)'{{-h,--help}}'[show the help and exit]' \\
    '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe command commands; return ;;
    argument) ;;
    *) return ;;
  esac
  case $words[1] in
{cases}  esac
}}
if [ "$funcstack[1]" = _flowworker ]; then
  _flowworker "$@"
else
  compdef _flowworker flowworker
fi
"""


# -- fish


def _fish() -> str:
    lines = ["# The completion of flowworker in fish.", "complete -c flowworker -f"]
    at_first = "-n __fish_use_subcommand"
    lines.append("complete -c flowworker {} -l version -d 'print the version and exit'".format(at_first))
    lines.append("complete -c flowworker -s h -l help -d 'show the help and exit'")
    for name, command in COMMANDS.items():
        lines.append("complete -c flowworker {} -a {} -d {}".format(at_first, name, _fish_text(command.summary)))
        where = "-n '__fish_seen_subcommand_from {}'".format(name)
        for option in command.options:
            flags = " ".join("-l " + flag[2:] if flag.startswith("--") else "-s " + flag[1:] for flag in option.flags)
            lines.append(
                "complete -c flowworker {} {}{} -d {}".format(
                    where, flags, _fish_value(option), _fish_text(option.help)
                )
            )
        for operand in command.operands:
            if operand.choices:
                lines.append("complete -c flowworker {} -a {}".format(where, _fish_text(" ".join(operand.choices))))
            elif operand.kind == FILE:
                lines.append("complete -c flowworker {} -F".format(where))
    return "\n".join(lines) + "\n"


def _fish_value(option: Option) -> str:
    if option.metavar is None:
        return ""
    if option.choices:
        return " -x -a " + _fish_text(" ".join(option.choices))
    return {FILE: " -r -F", FOLDER: " -x -a '(__fish_complete_directories)'"}.get(option.kind, " -x")


def _fish_text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_SHELLS: Dict[str, Callable[[], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
