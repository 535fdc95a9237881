"""What the tests of the slurm worker share."""

import os
import subprocess

from conftest import wait_until

import flowworker

ALIVE = ("PENDING", "RUNNING", "CONFIGURING")


class Cluster:
    def __init__(self, conf):
        self.conf = conf
        self.spool = os.path.join(os.path.dirname(conf), "spool")

    def call(self, *arguments, **options):
        result = subprocess.run(arguments, capture_output=True, text=True, timeout=60, **options)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def jobs(self, states=ALIVE):
        """Names and numbers of jobs of this library's."""
        lines = self.call("squeue", "--noheader", f"--states={','.join(states)}", "--format=%j|%i|%T").splitlines()
        return [line.split("|") for line in lines if line.startswith("fw-")]

    def sruns(self):
        """The processes of srun that have jobs of this cluster, by their job's names in the arguments."""
        names = {f"--job-name={name}".encode() for name, _, _ in self.jobs()}
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open(f"/proc/{entry}/cmdline", "rb") as file:
                        words = file.read().split(b"\0")
                except OSError:
                    continue
                if words[0].endswith(b"/srun") and names.intersection(words):
                    found.append(int(entry))
        return found

    def wait_until_empty(self):
        wait_until(lambda: self.jobs() == [])


def worker(env=None, variables=None, **options):
    spec = {"name": "w", "type": "slurm", "options": dict({"hold": 0}, **options)}
    if env is not None:
        spec["env"] = env
    if variables is not None:
        spec["variables"] = variables
    return flowworker.create_worker(spec)


def step(*commands, **settings):
    return flowworker.ContainerStep("s", "unused", list(commands), **settings)
