"""Runs a program that may start any number of processes, which together get so much memory and no more.

    limits.py MIB PROGRAM [ARGUMENT...]

Prints what the program writes, what all its processes have used, and what has limited them. The exit status is that of
the program, and 125 if they cannot be limited here: then the program has not started.
"""

import sys
import tempfile

import flowworker


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: limits.py MIB PROGRAM [ARGUMENT...]")
    limits = {"memory": int(sys.argv[1]) << 20, "cpus": 2, "pids": 100}
    # Without "required": False the program starts only if all three can be kept.
    worker = flowworker.create_worker(flowworker.Subprocess("limited", tree_limits=limits))
    step = flowworker.ContainerStep("program", "", [["$words"]])
    with tempfile.TemporaryDirectory() as folder:
        result = worker.exec(step, {"words": sys.argv[2:]}, folder, timeout=60)
    sys.stdout.write("".join(result.stdout))
    sys.stderr.write("".join(result.stderr))
    if result.message is not None:
        print(result.message, result.explanation or "", sep="\n", file=sys.stderr)
    if result.outcome == "spawn_failed":
        sys.exit(125)
    (command,) = result.commands
    print("at most {peak_memory} bytes".format(**command["tree_usage"]), file=sys.stderr)
    print("limited by {memory}, {cpus}, {pids}".format(**command["tree_limits"]), file=sys.stderr)
    sys.exit(result.returncode if result.returncode >= 0 else 128 - result.returncode)


if __name__ == "__main__":
    main()
