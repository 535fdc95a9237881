"""A host that runs a random workflow, and that may kill itself in the middle (test_workflow_resume_killed.py)."""

import json
import os
import random
import signal
import sys

import flowworker as fw


class Functions:
    """Functions that note that they were called."""

    def __init__(self, root):
        self.root = root

    def note(self, what):
        descriptor = os.open(self.root + "/log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, (what + "\n").encode())
        os.close(descriptor)


def make(seed, root):
    """The workflow of a seed: steps that read and write few keys, folders and names. Each notes that it has run."""
    choose = random.Random(seed)
    functions = Functions(root)
    workflow = fw.Workflow()
    names = ["word"]
    keys = ["k0", "k1", "f/k2", "f/k3"]
    written = {"f/"}
    for number in range(choose.randint(6, 14)):
        name = "s{}".format(number)
        kind = choose.choice(["shell", "shell", "shell", "in place", "each", "function", "values"])
        pause = "sleep 0.00{}".format(choose.randint(0, 9))
        there = sorted(key for key in written if key != "f/" or any(other.startswith("f/k") for other in written))
        inputs = choose.sample(there, min(len(there), choose.randint(0, 2)))
        read = "cat {} | cksum".format(" ".join(key + "*" if key == "f/" else key for key in inputs) or "/dev/null")
        log = "echo {} >> {}/log".format(name, root)
        if kind == "in place" and written - {"f/"}:
            key = choose.choice(sorted(written - {"f/"}))
            command = "{}; {}; echo {} $word >> {}".format(log, pause, name, key)
            workflow.add_container_step(name, "", commands=[command], inputs=[key], outputs=[key])
        elif kind == "each":
            log = "echo {}-$i >> {}/log".format(name, root)
            command = "{}; {}; {{ echo {} $i; {}; }} > e/{}-$i".format(log, pause, name, read, name)
            workflow.add_container_step(
                name,
                "",
                commands=[command],
                inputs=inputs,
                outputs=["e/" + name + "-$i"],
                foreach={"names": {"i": choose.sample(range(9), choose.randint(0, 4))}},
            )
        elif kind == "function":
            used = choose.choice(names)

            def function(name=name, **values):
                functions.note(name)
                return name + " of " + str(sorted(values.items()))

            space = {"function": function}
            exec("def call({0}): return function({0}={0})".format(used), space)
            workflow.add_code_step(name, space["call"], arg="v" + str(number % 4), after=[])
            names.append("v" + str(number % 4))
        elif kind == "values":

            def each(i, name=name):  # noqa: E306
                functions.note("{}-{}".format(name, i))
                return i * 2

            space = {"each": each}
            exec("def call(i): return each(i)", space)
            values = [choose.randint(0, 2) for _ in range(choose.randint(1, 4))]
            workflow.add_code_step(
                name, space["call"], arg="v" + str(number % 4), foreach={"names": {"i": values}}, after=[]
            )
            names.append("v" + str(number % 4))
        else:
            key = choose.choice(keys)
            inputs = [other for other in inputs if other != key and not (other == "f/" and key.startswith("f/"))]
            paths = [other + "*" if other == "f/" else other for other in inputs]
            read = "cat {} | cksum".format(" ".join(paths) or "/dev/null")
            words = "${%s:q}" % choose.choice(names)
            command = "{}; {}; {{ echo {} {}; {}; }} > {}".format(log, pause, name, words, read, key)
            workflow.add_container_step(name, "", commands=[command], inputs=inputs, outputs=[key])
            written.add(key)
    return workflow


def main(root, jobs, last, seed):
    """Runs the workflow of a seed. The host kills itself at the event with the number `last`; 0: at none."""
    events = 0

    def count(event):
        nonlocal events
        events += 1
        if events == last:
            os.kill(os.getpid(), signal.SIGKILL)

    result = make(seed, root).run({"word": "w"}, rundir=root + "/run", state=root + "/state", jobs=jobs, on_event=count)
    steps = [
        [step.step.name, step.index, step.instance, step.values, step.returncode, step.stdout] for step in result.steps
    ]
    context = {name: result.context[name] for name in sorted(result.context)}
    print(json.dumps([[result.returncode, result.message, steps, context], result.restored, events]))


if __name__ == "__main__":
    main(sys.argv[1], *(int(argument) for argument in sys.argv[2:]))
