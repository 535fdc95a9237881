"""What a workflow is: a model that executes its steps one after the other, without the library.

It knows nothing of order, edges and schedules. The rules of the volumes are those of docs/reference/workflow.md: which
volume has the latest version of a file, and which files are copied before a step.
"""

import itertools

from width_steps import add, filled, text_of


def path_of(key):
    return key.rstrip("/")


def is_inside(path, folder):
    return path.startswith(folder + "/")


def overlap(one, other):
    """Whether two keys are about the same file."""
    one, other = path_of(one), path_of(other)
    return one == other or is_inside(one, other) or is_inside(other, one)


def instances(step, context):
    """The values of each instance; one of None for a step without `foreach`."""
    if step["foreach"] is None:
        return [None]
    lists = [
        context[given["value"]] if isinstance(given, dict) else given for given in step["foreach"]["names"].values()
    ]
    rows = zip(*lists) if step["foreach"].get("combine") == "zip" else itertools.product(*lists)
    return [dict(zip(step["foreach"]["names"], row)) for row in rows]


class Missing(Exception):
    """An input of a step is not where the step looks for it."""


class Model:
    def __init__(self, case):
        self.files = {volume: dict(files) for volume, files in case["files"].items()}
        self.latest = {}  # The volumes with the latest version, by path, with those of a folder for all in it.
        for volume, keys in case["listed"].items():
            for key in keys:
                self.add(path_of(key), volume)
        self.context = dict(case["values"])
        self.variables = case["variables"]
        self.printed = []
        for number, step in enumerate(case["steps"]):
            self.execute(number, step)

    def execute(self, number, step):
        given = []
        for values in instances(step, self.context):
            given.append(self.look_and_write(number, step, values or {}))
        if step["arg"] is not None:
            self.context[step["arg"]] = given if step["foreach"] else given[0]

    def look_and_write(self, number, step, own):
        volume, files = step["volume"], self.files[step["volume"]]
        is_declared = not step["hidden"]
        reads = [filled(key, own) for key in step["reads"]]
        if is_declared:
            self.provide(reads, volume)
        found = step["start"]
        for key in reads:
            for path in sorted((p for p in files if overlap_down(p, path_of(key))), key=lambda p: p.split("/")):
                found = add(found, path + " " + files[path])
        variables = self.variables.get(step["worker"], {})
        for name in step["names"]:
            found = add(found, text_of(own.get(name, variables.get(name, self.context.get(name, name)))))
        for key in step["makes"]:
            files[filled(key, own)] = "{}\n".format(found)
        if is_declared:
            for key in step["writes"]:
                path = path_of(filled(key, own))
                for inner in [p for p in self.latest if is_inside(p, path)]:
                    del self.latest[inner]
                self.latest[path] = [volume]
        self.printed.append((number, None if step["foreach"] is None else own, found))
        return found

    # -- volumes

    def add(self, path, volume):
        volumes = self.latest.setdefault(path, [])
        if volume not in volumes:
            volumes.append(volume)

    def holder(self, path):
        """The entry that covers a path."""
        while path and path not in self.latest:
            path = path.rpartition("/")[0]
        return path

    def matches(self, path):
        """The entries that an input needs, as pairs of a path and its volumes."""
        holder = self.holder(path)
        covering = [(path, self.latest[holder][:])] if holder else []
        inner = sorted((p for p in self.latest if is_inside(p, path)), key=lambda p: p.count("/"))
        return covering + [(p, self.latest[p][:]) for p in inner]

    def provide(self, keys, volume):
        needed = [(path_of(key), self.matches(path_of(key))) for key in keys]
        for path, matches in needed:
            if not matches:
                others = [volume] + [other for other in self.files if other != volume]
                source = next((v for v in others if self.has(path, v)), None)
                if source is None:
                    raise Missing(path)
                self.add(path, source)
                matches = [(path, [source])]
            for entry, volumes in matches:
                if volume not in volumes:
                    self.copy(entry, volumes, volume)
            if all(volume in volumes for _, volumes in matches):
                if not self.has(path, volume) or self.is_stray(path, volume):
                    raise Missing(path)

    def is_stray(self, path, volume):
        """Whether a volume has another content than the version of the folder which counts, and promises nothing."""
        holder = self.holder(path)
        if holder in ("", path) or volume == self.latest[holder][0]:
            return False
        found = [{p for p in self.files[v] if overlap_down(p, path)} for v in (volume, self.latest[holder][0])]
        return found[0] != found[1]

    def has(self, path, volume):
        return any(overlap_down(other, path) for other in self.files[volume])

    def copy(self, path, volumes, to):
        self.latest.setdefault(path, volumes[:])
        self.add(path, to)
        source = self.files[volumes[0]]
        if not self.has(path, volumes[0]):
            raise Missing(path)
        for inner in [p for p in source if overlap_down(p, path) and self.holder(p) == path]:
            self.files[to][inner] = source[inner]


def overlap_down(path, key):
    """Whether a file is what a key names, or is in it."""
    return path == key or is_inside(path, key)
