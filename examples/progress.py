"""Shows what a step does while it runs: its output, and a status line below it.

    progress.py [COMMAND ...]

Each COMMAND is a line for the shell. Without one, it runs a demonstration. Ctrl-C cancels the step,
and says which processes had to be ended. The exit status is that of the step.
"""

import shutil
import sys
import time

import flowworker

DEMONSTRATION = [
    "for n in 1 2 3 4 5; do echo sample $n of 5; sleep 0.25; done",
    "echo 'sample 3 has no value' >&2; sleep 0.5; echo 4 samples are good",
    "for n in 20 40 60 80 100; do echo $n %; sleep 0.2; done",
]
RED, GREEN, DIM, PLAIN = "\033[31m", "\033[32m", "\033[2m", "\033[0m"


class Screen:
    """Lines of text, and a last line that is written again and again if this is a terminal."""

    def __init__(self, stream):
        self.stream = stream
        self.is_terminal = stream.isatty()
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")

    def line(self, text, colour=PLAIN):
        if self.is_terminal:
            text = f"\r\033[K{colour}{text}{PLAIN}"
        print(text, file=self.stream, flush=True)

    def status(self, text):
        if self.is_terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\033[K{DIM}{text[:width]}{PLAIN}", end="", file=self.stream, flush=True)


def watch(run, screen, count):
    """Shows the events of a step until the last one."""
    began = time.monotonic()
    doing = "starting"
    while True:
        # Without an event the time goes on nevertheless.
        event = run.next_event(timeout=0.2)
        if event is not None:
            if event.kind == "step_ended":
                return
            if event.kind == "command_started":
                doing = f"command {event.command + 1} of {count}: {' '.join(event.text.split())}"
                if not screen.is_terminal:
                    screen.line(doing)
            if event.kind == "output":
                screen.line(event.data, RED if event.stream == "stderr" else PLAIN)
        minutes, seconds = divmod(int(time.monotonic() - began), 60)
        screen.status(f"{minutes:02}:{seconds:02}  {doing}")


def report(result, screen):
    for command in result.commands:
        name = command["command"].split()[0] if command["command"] else "?"
        main = {"pid": command["pid"], "name": name, "ended_by": command["ended_by"]}
        for process in [main, *command["survivors"]]:
            if process["ended_by"] is not None:
                screen.line(f"{process['name']} ({process['pid']}) ended by {process['ended_by']}")
    if result.returncode == 0:
        screen.line(f"done: {len(result.commands)} commands", GREEN)
    else:
        screen.line(result.message, RED)


def main():
    # A dollar would begin a placeholder, which a workflow has values for; here there are none.
    commands = [command.replace("$", "$$") for command in sys.argv[1:] or DEMONSTRATION]
    step = flowworker.ContainerStep("progress", image="", commands=commands)
    screen = Screen(sys.stdout)
    with flowworker.default_container_worker.start(step, {}, ".", events="lines") as run:
        try:
            watch(run, screen, len(commands))
        except KeyboardInterrupt:
            screen.line("cancelling: the processes have two seconds to end", RED)
            run.cancel()
        result = run.wait()
    report(result, screen)
    sys.exit(result.returncode if result.returncode >= 0 else 128 - result.returncode)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # A second one: nobody waits for what is left.
        sys.exit(130)
