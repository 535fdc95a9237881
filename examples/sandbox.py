"""Runs a program that is not trusted: it may write in one folder, and reach no network and no other process.

    sandbox.py FOLDER PROGRAM [ARGUMENT...]

Prints what the program writes, and then which layers of the kernel have bounded it. The exit status is that of the
program, and 125 if the sandbox cannot be made here: then the program has not started.
"""

import sys

import flowworker


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: sandbox.py FOLDER PROGRAM [ARGUMENT...]")
    folder, *words = sys.argv[1:]
    # It may read what its user may read. With a list in "read" it may not.
    worker = flowworker.create_worker(flowworker.Subprocess("careful", sandbox=True))
    step = flowworker.ContainerStep("program", "", [["$words"]])
    result = worker.exec(step, {"words": words}, folder, timeout=60)
    sys.stdout.write("".join(result.stdout))
    sys.stderr.write("".join(result.stderr))
    if result.message is not None:
        print(result.message, result.explanation or "", sep="\n", file=sys.stderr)
    if result.outcome == "spawn_failed":
        sys.exit(125)
    print("bounded by " + ", ".join(result.commands[0]["sandbox"]["layers"]), file=sys.stderr)
    sys.exit(result.returncode if result.returncode >= 0 else 128 - result.returncode)


if __name__ == "__main__":
    main()
