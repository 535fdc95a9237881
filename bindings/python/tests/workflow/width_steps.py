"""What the steps of random workflows do: each looks at all that it has, and writes a number that depends on all of it.

The number is made of the inputs (which files there are, and what is in them) and of the values of the names. So a step
that sees anything else than in a serial run writes another number, and so do all steps that read this one.

A shell and a Python function make the same number. `width_steps.f_HEX` is a function for interpreters: its name holds
what it has to do.
"""

import json
import os
import re
import time

#: Shell text: . SCRIPT, with the parameters START PAUSE_BEFORE PAUSE_AFTER INPUT... -- VALUE... -- FILE...
SCRIPT = r"""
LC_ALL=C
h=$1 before=$2 after=$3
shift 3
add() {
  IFS='abcdefghijklmnopqrstuvwxyz=/.,[]" '
  for w in $1; do
    [ -z "$w" ] || h=$(((h * 1000003 + w) % 2147483647))
  done
  unset IFS
}
look() {
  if [ -d "$1" ]; then
    for one in "$1"/*; do look "$one"; done
  elif [ -f "$1" ]; then
    read -r line <"$1"
    add "$1 $line"
  fi
}
[ "$before" = 0 ] || sleep "$before"
while [ "$1" != -- ]; do look "${1%/}"; shift; done
shift
while [ "$1" != -- ]; do add "$1"; shift; done
shift
[ "$after" = 0 ] || sleep "$after"
for file; do
  case $file in
    */*) [ -d "${file%/*}" ] || mkdir -p "${file%/*}" ;;
  esac
  echo "$h" >"$file"
done
echo "$h"
"""


def add(number, text):
    for found in re.findall("[0-9]+", text):
        number = (number * 1000003 + int(found)) % 2147483647
    return number


def text_of(value):
    """A value as a command has it."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def look(number, path):
    if os.path.isdir(path):
        for name in sorted(os.listdir(path)):
            if not name.startswith("."):
                number = look(number, path + "/" + name)
    elif os.path.isfile(path):
        with open(path) as file:
            number = add(number, path + " " + file.read())
    return number


def filled(text, values):
    """A key with the values of an instance in it."""
    return re.sub(r"\$\{?([a-z]+)\}?", lambda found: text_of(values[found[1]]), text)


def function(spec):
    """A function with the parameters of `spec`, each of which has the name of its value as default."""

    def work(values):
        number = spec["start"]
        time.sleep(spec["before"])
        for key in spec["reads"]:
            number = look(number, filled(key, values).rstrip("/"))
        for name in spec["names"]:
            number = add(number, text_of(values[name]))
        time.sleep(spec["after"])
        for key in spec["makes"]:
            path = filled(key, values)
            if "/" in path:
                os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write("{}\n".format(number))
        return number

    parameters = spec["parameters"]
    scope = {"work": work}
    exec(
        "def f({}):\n    return work({{{}}})\n".format(
            ", ".join("{}={!r}".format(parameter, name) for parameter, name in parameters.items()),
            ", ".join("{!r}: {}".format(name, parameter) for parameter, name in parameters.items()),
        ),
        scope,
    )
    return scope["f"]


def name_of(spec):
    return "f_" + json.dumps(spec).encode().hex()


def __getattr__(name):
    if not name.startswith("f_"):
        raise AttributeError(name)
    return function(json.loads(bytes.fromhex(name[2:]).decode()))
