#!/usr/bin/env python3
"""Checks what the library does in the environment that this program is started in.

    suite.py [--json] [NAME...]   runs all checks, or those with these names

Each check prints a line, and the last line has the counts. The status is 1 if a check failed. It needs the Python
package and its library, a shell, and the programs of coreutils; it needs no test tool, so that it runs anywhere.
environments.py makes environments and compares what comes of this program in them. The folder of the checks is made in
FW_SUITE_FOLDER, or where temporary files go.
"""

import argparse
import json
import shutil
import sys
import traceback

import commands
import common
import runs
import sandboxes
import tree_limits


def checks():
    """All checks by name."""
    found = dict(commands.SIMPLE)
    for module in (commands, runs, sandboxes, tree_limits):
        for name, value in vars(module).items():
            if name.startswith("test_"):
                found[name[len("test_") :].replace("_", " ")] = value
    return found


def result_of(function):
    try:
        function()
    except common.Skipped as reason:
        return "skipped: {}".format(reason)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(str(error).split())[:300]
        return "failed: {}: {} (line {})".format(type(error).__name__, text, where.lineno)
    return "ok"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the results as one line of JSON")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    found = {}
    for name, function in checks().items():
        if not options.names or name in options.names:
            found[name] = result_of(function)
            if not options.json:
                print("{}: {}".format(name, found[name]), flush=True)
    shutil.rmtree(common.FOLDER, ignore_errors=True)
    failed = sum(text.startswith("failed") for text in found.values())
    print(json.dumps(found) if options.json else "{} checks, {} failed".format(len(found), failed))
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
