"""Finds the files that contain a text, several at a time.

    many.py [--first] TEXT FILE...

Each name is printed as soon as it is found. With --first, the search ends with the first file, and what still runs is
ended as well.
"""

import sys

import flowworker

STEP = flowworker.ContainerStep(
    "find",
    image="",
    commands=[["grep", "-q", "-F", "-e", "$text", "--", "$file"]],
    placeholders="strict",
    success_codes=[0, 1],  # grep exits with 1 if no line matches, which is an answer as well.
)


def find(text, files):
    """Yields the files that contain the text, in the order in which grep is done with them."""
    contexts = ({"text": text, "file": name} for name in files)
    # So many run at once as this process may use CPUs. Leaving the loop ends what runs.
    for result in flowworker.default_container_worker.map(STEP, contexts, "."):
        if result.check().commands[0]["exit_code"] == 0:
            yield files[result.position]


def main():
    arguments = sys.argv[1:]
    is_first = arguments[:1] == ["--first"]
    text, *files = arguments[is_first:] or [None]
    if text is None:
        sys.exit("usage: many.py [--first] TEXT FILE...")
    found = find(text, files)
    try:
        for name in found:
            print(name, flush=True)
            if is_first:
                break
    except (flowworker.StepError, flowworker.FlowWorkerError) as error:
        sys.exit(f"many.py: {error}")
    finally:
        found.close()


if __name__ == "__main__":
    main()
