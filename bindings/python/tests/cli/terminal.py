"""A real terminal, which is tmux's, with a shell in it."""

import subprocess


class Terminal:
    """`screen` gives what a user would see; `wait_for` waits until that has a text, or fulfils a condition."""

    def __init__(self, socket, columns, lines, env, place, wait_until):
        self._socket = socket
        self._wait_until = wait_until
        # tmux says to programs which terminal it is.
        env = dict(env, TMUX="", HISTFILE="")
        with open(socket + ".rc", "w") as rc:
            rc.write("PS1='$ '\n")
        shell = "exec bash --rcfile " + socket + ".rc -i"
        size = ["-x", str(columns), "-y", str(lines)]
        command = ["tmux", "-S", socket, "-f", "/dev/null", "new-session", "-d", "-c", place, *size, shell]
        subprocess.run(command, env=env, check=True, stdin=subprocess.DEVNULL)
        self._tmux("set-option", "-g", "status", "off")
        # The line of tmux's own status belongs to the shell only now.
        self.resize(columns, lines)

    def _tmux(self, *words):
        command = ["tmux", "-S", self._socket, *words]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, universal_newlines=True).stdout

    def type(self, text):
        """Types a line, with the key Enter behind it."""
        self._tmux("send-keys", "-l", "--", text)
        self._tmux("send-keys", "Enter")

    def key(self, name):
        """Presses a key, such as `C-c`."""
        self._tmux("send-keys", name)

    def press(self, text, name):
        """Types a text and then presses a key."""
        self._tmux("send-keys", "-l", "--", text)
        self._tmux("send-keys", name)

    def resize(self, columns, lines):
        self._tmux("resize-window", "-x", str(columns), "-y", str(lines))

    def screen(self, *options):
        """The lines that are visible, without blanks at their ends and blank lines at the end."""
        return self._tmux("capture-pane", "-p", *options).rstrip("\n ").split("\n")

    def all(self):
        """The lines that are visible, and those that have left the screen; a line that was broken is one."""
        return self.screen("-J", "-S", "-")

    def wait_for(self, condition):
        """Waits until the screen has a text, or the condition is true for its lines, and returns the lines.

        What was typed behind the shell's prompt is no such text.
        """
        if isinstance(condition, str):
            text = condition
            condition = lambda lines: any(text in line for line in lines if not line.startswith("$ "))  # noqa: E731
        found = []

        def is_there():
            found[:] = self.screen()
            return condition(found)

        try:
            self._wait_until(is_there)
        except AssertionError:
            raise AssertionError("it never came to that:\n" + "\n".join(found)) from None
        return found

    def title(self):
        """The title that a program has given to the terminal."""
        return self._tmux("display-message", "-p", "#{pane_title}").strip()

    def foreground(self):
        """The process group that has the terminal."""
        shell = self._tmux("display-message", "-p", "#{pane_pid}").strip()
        with open("/proc/{}/stat".format(shell), encoding="utf-8") as stat:
            return int(stat.read().rpartition(")")[2].split()[5])

    def close(self):
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], stderr=subprocess.DEVNULL)
