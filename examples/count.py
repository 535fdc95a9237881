"""Counts the lines of a file that contain a text, whatever characters the text has.

    count.py TEXT FILE

FILE may be compressed. If its name ends with .gz, this program decompresses what the command reads, piece by piece.
"""

import gzip
import sys

import flowworker

# The command is a list of words, so no shell reads the text, and quotes and semicolons in it are only characters.
STEP = flowworker.ContainerStep(
    "count",
    image="",
    commands=[["grep", "-F", "-c", "-e", "$text"]],
    placeholders="strict",  # A misspelt name is an error before anything runs.
    success_codes=[0, 1],  # grep exits with 1 if no line matches, which is an answer as well.
)


def count(text, name):
    opened = gzip.open(name, "rb") if name.endswith(".gz") else open(name, "rb")
    with opened as file:
        result = flowworker.default_container_worker.exec(STEP, {"text": text}, ".", stdin=file)
    result.check()
    return int(result.text), result.commands[0]["exit_code"] == 0


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: count.py TEXT FILE")
    try:
        lines, is_found = count(sys.argv[1], sys.argv[2])
    except (flowworker.StepError, flowworker.FlowWorkerError, OSError) as error:
        sys.exit(f"count.py: {error}")
    print(f"{lines} lines" if is_found else "no line")


if __name__ == "__main__":
    main()
