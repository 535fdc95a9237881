"""Random workflows, as plain data that a model and the library both execute, and how the library runs them."""

import json
import random
import shutil
import sys
from pathlib import Path

from width_model import Missing, Model, instances, overlap, path_of
from width_steps import SCRIPT, filled, function, name_of

import flowworker as fw

KEYS = ["k1", "k2", "d/k3", "d/e/k4"]
FOLDERS = ["d/", "d/e/", "d", "d/e"]
#: What is in each folder from the beginning. A step that makes the folder makes all of it, because other steps need it.
CONTENT = {"d/": ["k3", "e/k4", "f0", "f1", "f2", "f3"], "d/e/": ["k4"]}
NAMES = ["n1", "n2", "n3", "n4"]
LIST = "l5"
MAIN = fw.DEFAULT_STORE
VOLUMES = [MAIN, "a", "b"]
#: The workers of each volume: one for commands, one for functions of the host, one for those of an interpreter.
COMMANDS, HOST, IMPORTED = "commands", "host", "imported"
KINDS = (COMMANDS, HOST, IMPORTED)
#: A name that the worker for commands of one volume decides.
VARIABLES = {"commands-b": {"n4": 44}}
MOST_STEPS = 30
#: What differs from run to run.
TIMES = {"started", "duration", "ended", "pid", "schedule", "user_time", "system_time", "peak_memory"}


def worker_name(kind, volume):
    return "{}-{}".format(kind, "main" if volume == MAIN else volume)


WORKERS = {worker_name(kind, volume): (kind, volume) for kind in KINDS for volume in VOLUMES}


# ------------------------------------------------------------------------------------------------ making


def random_case(seed):
    """A workflow, the files of its volumes and its arguments."""
    rng = random.Random(seed)
    volumes = VOLUMES if rng.random() < 0.5 else [MAIN]
    kinds = [COMMANDS] * 5 + [HOST] * 3 + ([IMPORTED] * 2 if rng.random() < 0.5 else [])
    inputs = [*KEYS, *("d/f{}".format(number) for number in range(4))]
    case = {
        "seed": seed,
        "files": {volume: {} for volume in VOLUMES},
        "listed": {volume: [] for volume in VOLUMES},
        "values": {name: rng.randint(100, 999) for name in NAMES if rng.random() < 0.5},
        "variables": VARIABLES,
        "steps": [],
    }
    case["values"][LIST] = [rng.randint(0, 3) for _ in range(rng.randint(0, 4))]
    case["files"][MAIN] = {key: "{}\n".format(rng.randint(100, 999)) for key in inputs}
    if len(volumes) > 1:
        case["listed"][MAIN] = ["k1", "k2", "d/"]
        for key in rng.sample(KEYS, rng.randint(0, 2)):
            case["files"]["a"][key] = "{}\n".format(rng.randint(100, 999))
            case["listed"]["a"].append(key)
            case["listed"][MAIN] = [k for k in case["listed"][MAIN] if k != key]
        if rng.random() < 0.6:
            random_searches(rng, case)
    # Few steps find most faults, and many the rest.
    for number in range(rng.choice([rng.randint(1, 8), rng.randint(1, MOST_STEPS)])):
        case["steps"].append(random_step(rng, number, rng.choice(kinds), rng.choice(volumes), case["steps"], volumes))
        if not can_run(case):
            case["steps"].pop()
    return case


def random_searches(rng, case):
    """Volumes that do not list all of their files. The first step that needs a file finds one of its versions."""
    for volume in VOLUMES:
        case["listed"][volume] = [key for key in case["listed"][volume] if rng.random() < 0.3]
        for key in case["files"][MAIN] if volume != MAIN else ():
            if rng.random() < 0.5:
                case["files"][volume].setdefault(key, "{}\n".format(rng.randint(100, 999)))


def can_run(case):
    """Whether each step of a workflow finds its inputs, one step after the other."""
    try:
        Model(case)
    except Missing:
        return False
    return True


def random_step(rng, number, kind, volume, before, volumes):
    step = {
        "start": number + 1,
        "kind": kind,
        "volume": volume,
        "worker": worker_name(kind, volume),
        "is_text": rng.random() < 0.3,
        "before": rng.choice([0, 0, 0, 0.002, 0.005]),
        "after": rng.choice([0, 0, 0, 0.002, 0.005]),
        "names": rng.sample(NAMES, rng.choice([0, 0, 1, 1, 2])),
        "arg": None if kind == COMMANDS or rng.random() < 0.2 else rng.choice(NAMES),
        "reads": [],
        "writes": [],
        "makes": [],
        "hidden": False,
        "after_steps": None,
        "foreach": None,
    }
    step["name"] = "{}-{}".format(step["worker"], number)
    given = sorted({one["arg"] for one in before} - {None})
    if given and (kind == IMPORTED or rng.random() < 0.3):
        step["names"] = [rng.choice(given)]
    chance = rng.random()
    if chance < 0.1:
        # A step that says nothing of its files. With several volumes, nobody would find what it changes.
        step["hidden"] = True
        key = rng.choice(KEYS)
        if len(volumes) == 1:
            step["reads"], step["makes"] = [rng.choice(KEYS)], [key] if rng.random() < 0.5 else []
    elif chance < 0.2:
        step["reads"] = step["writes"] = step["makes"] = [rng.choice(KEYS)]
    elif chance < 0.4:
        random_foreach(rng, step)
    else:
        step["reads"] = rng.sample(KEYS + FOLDERS, rng.choice([0, 1, 1, 2]))
        for key in rng.sample(KEYS + FOLDERS[:2], rng.choice([0, 1, 1, 2])):
            if not any(overlap(key, other) for other in step["writes"]):
                step["writes"].append(key)
                inner = [*CONTENT.get(key, []), "g{}".format(rng.randint(0, 1))]
                step["makes"] += [key] if key in KEYS else [key + name for name in inner]
    if not step["reads"] and not step["writes"] and not step["hidden"]:
        step["hidden"] = True
    is_open = step["hidden"] and (step["reads"] or step["makes"])
    if before and rng.random() < 0.1 and not is_open:
        step["after_steps"] = [one["name"] for one in rng.sample(before, rng.randint(0, min(2, len(before))))]
    step["parameters"] = {name if rng.random() < 0.7 else "p" + name: name for name in step["names"]}
    if step["foreach"]:
        # The values of an instance hide those of the context, and a function gets them as parameters too.
        step["names"] = step["names"] + list(step["foreach"]["names"])
        step["parameters"].update({name: name for name in step["foreach"]["names"]})
    return step


def random_foreach(rng, step):
    """Values, and keys that differ from instance to instance."""
    values = rng.sample(range(4), rng.randint(0, 4))
    kind = rng.random()
    if kind < 0.3:  # Each makes a file of its own.
        names, step["makes"] = {"i": values}, ["d/f$i"]
        step["reads"] = rng.choice([[], ["k1"], ["d/f$i"], ["d/"], ["d/e/"]])
    elif kind < 0.5:  # Each pair makes a file of its own.
        names = {"i": values, "j": rng.sample(range(9), min(2, len(values)))}
        step["makes"] = ["d/e/h$i.${j}"]
        step["reads"] = rng.choice([[], ["k2"], ["d/f$i"]])
    elif kind < 0.7:
        names = {"i": values, "j": [rng.randint(0, 9) for _ in values]}
        step["makes"], step["reads"] = ["d/e/h$i"], rng.choice([[], ["d/f$i"]])
    elif kind < 0.85:  # Equal values too, and nothing is made but values.
        names, step["reads"] = {"i": [rng.randint(0, 3) for _ in values]}, rng.choice([["k1"], ["d/f$i"], ["d"]])
    else:
        names, step["reads"] = {"i": {"value": LIST}}, ["k2"]
    step["foreach"] = {"names": names}
    if 0.5 <= kind < 0.7:
        step["foreach"]["combine"] = "zip"
    step["writes"] = step["makes"]


# ------------------------------------------------------------------------------------------------ running


def make_pool():
    """A pool with all workers. The names of the steps say which worker has them."""
    here = str(Path(__file__).parent)
    specs = []
    for name, (kind, volume) in WORKERS.items():
        if kind == COMMANDS:
            specs.append(fw.Subprocess(name, volume=volume, variables=VARIABLES.get(name)))
        elif kind == HOST:
            specs.append(fw.Code(name, volume=volume))
        else:
            options = {"python": sys.executable}
            specs.append(fw.WorkerSpec("code", name, env={"PYTHONPATH": here}, volume=volume, options=options))
    managers = {"{}-{}".format(name, number): name for name in WORKERS for number in range(MOST_STEPS)}
    return fw.WorkerPool(specs, managers)


def library_step(step, script):
    facts = {}
    if not step["hidden"]:
        facts["inputs"], facts["outputs"] = list(step["reads"]), list(step["writes"])
    if step["after_steps"] is not None:
        facts["after"] = step["after_steps"]
    if step["foreach"] is not None:
        facts["foreach"] = step["foreach"]
    if step["kind"] == COMMANDS:
        return fw.ContainerStep(step["name"], "", [command(step, script)], **facts)
    spec = {key: step[key] for key in ("start", "reads", "names", "makes", "before", "after", "parameters")}
    func = function(spec) if step["kind"] == HOST else "width_steps." + name_of(spec)
    varnames = {parameter: name for parameter, name in step["parameters"].items() if parameter != name}
    return fw.CodeStep(step["name"], func, arg=step["arg"], varnames=varnames, **facts)


def command(step, script):
    values = ["=${}".format(name) for name in step["names"]]
    words = [str(step[key]) for key in ("start", "before", "after")]
    words += [*step["reads"], "--", *values, "--", *step["makes"]]
    if step["is_text"]:
        return "set -- {}; . {}".format(" ".join('"{}"'.format(word) for word in words), script)
    return ["sh", str(script), *words]


class Ran:
    """What a run of the library left, and what it told."""

    def __init__(self, case, jobs, root, pool, **options):
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        script = root / "script.sh"
        script.write_text(SCRIPT)
        volumes = []
        for volume in VOLUMES:
            place = root / volume
            place.mkdir()
            for key, text in case["files"][volume].items():
                (place / key).parent.mkdir(parents=True, exist_ok=True)
                (place / key).write_text(text)
            volumes.append({**fw.FStore(place, volume), "files": case["listed"][volume]})
        self.case, self.events = case, []
        workflow = fw.Workflow([library_step(step, script) for step in case["steps"]], workers=pool)
        arguments = dict(case["values"])
        if jobs is not None:
            options["jobs"] = jobs
        self.plan = workflow.plan(arguments, volumes=volumes, **options)
        self.result = workflow.run(arguments, volumes=volumes, on_event=self.events.append, **options)
        self.files = {volume: files_in(root / volume) for volume in VOLUMES}
        shutil.rmtree(root, ignore_errors=True)

    def facts(self):
        """All that has to be equal in each run."""
        steps = json.loads(json.dumps(without_times([step.to_dict() for step in self.result.steps])))
        names = [*NAMES, LIST]
        return {
            "outcome": (self.result.outcome, self.result.message),
            "context": {name: self.result.context[name] for name in names if name in self.result.context},
            "files": self.files,
            "steps": steps,
        }

    def printed(self):
        """What each step or instance has seen, as one number."""
        found = []
        for step in self.result.steps:
            own = self.case["steps"][step.index]
            text = step.text if own["kind"] == COMMANDS else step.value
            found.append((step.index, step.values, int(text)))
        return found


def files_in(place):
    paths = [path for path in sorted(place.rglob("*")) if path.is_file()]
    return {str(path.relative_to(place)): path.read_bytes().decode() for path in paths}


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(one) for key, one in value.items() if key not in TIMES}
    return [without_times(one) for one in value] if isinstance(value, list) else value


def modelled(case):
    model = Model(case)
    return {"context": model.context, "files": model.files, "printed": model.printed}


# ------------------------------------------------------------------------------------------------ what has to be true


def accesses(case):
    """The steps and instances in the order of the document, each with what it reads and writes."""
    context, found = dict(Model(case).context), []
    for number, step in enumerate(case["steps"]):
        # A list of the context is never written by these workflows, so it is the one of the arguments.
        context[LIST] = case["values"][LIST]
        for instance, own in enumerate(instances(step, context)):
            values = own or {}
            decided = {*values, *case["variables"].get(step["worker"], {})}
            found.append(
                {
                    "step": number,
                    "instance": None if own is None else instance,
                    "reads": [] if step["hidden"] else [filled(key, values) for key in step["reads"]],
                    "writes": [] if step["hidden"] else [filled(key, values) for key in step["writes"]],
                    "names": set(step["names"]) - decided,
                    "arg": step["arg"],
                    "is_barrier": step["hidden"] and step["after_steps"] is None,
                    "after": step["after_steps"] or [],
                    "name": step["name"],
                }
            )
    return found


def must_wait(first, second):
    """Why the second of two accesses has to wait for the first; None if it need not."""
    if first["is_barrier"] or second["is_barrier"]:
        return "barrier"
    if first["name"] in second["after"]:
        return "after"
    for kind, ours, theirs in (
        ("read after write", first["writes"], second["reads"]),
        ("write after read", first["reads"], second["writes"]),
        ("write after write", first["writes"], second["writes"]),
    ):
        if any(overlap(path_of(one), path_of(other)) for one in ours for other in theirs):
            return kind
    if first["step"] == second["step"]:
        return None  # The values of instances become one list.
    if first["arg"] is not None and (first["arg"] in second["names"] or first["arg"] == second["arg"]):
        return "value"
    return "value" if second["arg"] is not None and second["arg"] in first["names"] else None


def shrunk(case, fails):
    """A smaller case that fails as well: steps are dropped as long as it does."""
    size = max(1, len(case["steps"]) // 2)
    while True:
        at = 0
        while at < len(case["steps"]):
            steps = case["steps"][:at] + case["steps"][at + size :]
            names = {step["name"] for step in steps}
            steps = [
                {**step, "after_steps": [name for name in step["after_steps"] if name in names]}
                if step["after_steps"]
                else step
                for step in steps
            ]
            smaller = {**case, "steps": steps}
            if steps and fails(smaller):
                case = smaller
            else:
                at += size
        if size == 1:
            return case
        size //= 2
