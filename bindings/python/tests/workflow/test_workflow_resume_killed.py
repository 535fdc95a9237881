"""A run of many steps at once is killed at any event, and another one with the same state does what is missing."""

import collections
import fcntl
import hashlib
import json
import random
import signal
import subprocess
import sys

import killed_host
import pytest


class Place:
    """A directory with a run directory, a state directory, and a log of what was executed."""

    def __init__(self, root, environment):
        self.root, self.environment = root, environment
        (root / "run").mkdir(parents=True)

    def start(self, seed, jobs, events):
        command = [sys.executable, killed_host.__file__, str(self.root), str(jobs), str(events), str(seed)]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment
        )

    def run(self, seed, jobs, events=0):
        host = self.start(seed, jobs, events)
        out, err = host.communicate()
        if events and host.returncode == -signal.SIGKILL:
            return None
        assert host.returncode == 0, err
        return json.loads(out)

    def wait_for_commands(self):
        """Waits until the commands of a host that was killed have ended: a shell may write for a moment."""
        path = self.root / "state/commands"
        if path.exists():
            with path.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX)

    def log(self):
        path = self.root / "log"
        return path.read_text().split() if path.exists() else []

    def recorded(self):
        """The executions that have a record: names of steps, with the values of instances."""
        found = []
        for path in (self.root / "state").glob("step-*.json"):
            record = json.loads(path.read_text())
            values = record["values"]
            found.append(record["step"] + ("-{}".format(values["i"]) if values else ""))
        return found

    def files(self):
        found = {}
        for path in sorted((self.root / "run").rglob("*")):
            if path.is_file():
                found[str(path.relative_to(self.root / "run"))] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found


@pytest.mark.parametrize("seed", range(10))
def test_a_run_that_is_killed_at_any_event_does_what_is_missing(tmp_path, python_env, seed):
    uncut = Place(tmp_path / "uncut", python_env)
    expected, _, events = uncut.run(seed, jobs=1)
    assert expected[0] == 0, expected
    total = collections.Counter(uncut.log())
    in_place = {step.name for step in killed_host.make(seed, "").steps if set(step.inputs) & set(step.outputs)}
    place = Place(tmp_path / "cut", python_env)
    choose = random.Random(1000 + seed)
    result = None
    for event in [choose.randint(1, events) for _ in range(5)] + [0]:
        place.wait_for_commands()
        before, kept = collections.Counter(place.log()), collections.Counter(place.recorded())
        is_cut_in_place = any(before[name] and not kept[name] for name in in_place)
        result = place.run(seed, jobs=8, events=event)
        runs = collections.Counter(place.log()) - before
        for name, count in runs.items():
            # What a step in flight has changed in place has to be made again, and so has all that depends on it.
            assert count <= total[name] - (0 if is_cut_in_place else kept[name]), (name, runs, kept)
        if result is not None and not is_cut_in_place:
            assert result[1] == sum(kept.values())
    assert result is not None and result[0] == expected
    assert place.files() == uncut.files()
    again = place.run(seed, jobs=8)
    assert again[0] == expected and again[1] == sum(total.values())
