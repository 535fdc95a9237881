"""What the tests of the command line share: its commands, and steps that are shell commands."""

COMMANDS = ("run", "plan", "graph", "show", "completion")


def shell(name, command, **more):
    """A step with a shell command. Dollar signs are those of the shell."""
    return {"name": name, "action": {"environment": "", "commands": [command.replace("$", "$$")]}, **more}


def until(name):
    """A shell command that waits for a file."""
    return "until [ -e {} ]; do sleep 0.02; done".format(name)
