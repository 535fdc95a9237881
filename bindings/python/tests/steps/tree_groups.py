"""The control groups of this machine, as the tests of limits of the tree see them, and groups for an ordinary user."""

import os
import time
from pathlib import Path

#: The limits, and the controllers that keep them.
CONTROLLERS = {"memory": "memory", "cpus": "cpu", "pids": "pids"}


class Tree:
    """A hierarchy of control groups, and where this process is in it."""

    def __init__(self, version, controllers, mount, own):
        self.version = version
        self.controllers = controllers
        self.mount = Path(mount)
        self.own = self.mount / own.lstrip("/")


def trees():
    """The hierarchies that are mounted whole."""
    mounts = {}
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            kind, _, options = after.split()
            if kind in ("cgroup", "cgroup2") and before.split()[3] == "/":
                for name in options.split(",") if kind == "cgroup" else ("",):
                    mounts.setdefault(name, before.split()[4])
    found = []
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        for line in file:
            _, names, own = line.rstrip("\n").split(":", 2)
            mount = mounts.get(names.split(",")[0])
            if mount is not None:
                found.append(Tree(1 if names else 2, names.split(","), mount, own))
    return found


def second():
    """The hierarchy of version 2, or None."""
    return next((tree for tree in trees() if tree.version == 2), None)


def keepers():
    """What could keep each limit here for a process that may write control groups: cgroup1, cgroup2 or None."""
    kept = dict.fromkeys(CONTROLLERS)
    for limit, controller in CONTROLLERS.items():
        for tree in trees():
            if tree.version == 1 and controller in tree.controllers:
                kept[limit] = "cgroup1"
            elif tree.version == 2:
                names = (tree.mount / "cgroup.controllers").read_text(encoding="ascii").split()
                kept[limit] = kept[limit] or ("cgroup2" if controller in names else None)
    return kept


def why_none():
    """Why this process can keep no limit of a tree, found without the library; None if it can keep all."""
    missing = [limit for limit, keeper in keepers().items() if keeper is None]
    if missing:
        return "no mounted hierarchy of control groups keeps " + ", ".join(missing)
    for tree in trees():
        if tree.version == 1 and not set(tree.controllers) & set(CONTROLLERS.values()):
            continue
        folder = tree.own if tree.version == 1 or tree.own == tree.mount else tree.own.parent
        try:
            (folder / "fw-probe").mkdir()
            (folder / "fw-probe").rmdir()
        except OSError as error:
            return "no control group can be made in {}: {}".format(folder, error.strerror)
    return None


def left():
    """The groups of the library that are there."""
    places = {
        folder
        for tree in trees()
        for folder in [tree.own, *tree.own.parents]
        if tree.mount in [folder, *folder.parents]
    }
    return sorted(str(path) for folder in places for path in folder.glob("fw-*"))


def groups_of(pid):
    """The control groups of a process, by controller; that of version 2 has the name ""."""
    with open("/proc/{}/cgroup".format(pid), encoding="utf-8") as file:
        lines = [line.rstrip("\n").split(":", 2) for line in file]
    places = {name: tree.mount for tree in trees() for name in tree.controllers}
    return {
        name: places[name] / own.lstrip("/") for _, names, own in lines for name in names.split(",") if name in places
    }


class Delegated:
    """A group in each hierarchy that belongs to an ordinary user, with a group in it for the host of a test."""

    def __init__(self, user):
        self.folders = []
        for tree in trees():
            if tree.version == 1 and not set(tree.controllers) & set(CONTROLLERS.values()):
                continue
            folder = (tree.own if tree.version == 1 else tree.mount) / "fwtest-{}".format(os.getpid())
            for place in (folder, folder / "main"):
                place.mkdir()
                self.folders.append(place)
                for name in ("", "cgroup.procs", "cgroup.subtree_control"):
                    if (place / name).exists():
                        os.chown(place / name, user, user)

    def enter(self):
        """Moves the calling process into the groups."""
        for folder in self.folders[1::2]:
            (folder / "cgroup.procs").write_text("0", encoding="ascii")

    def remove(self):
        """Removes them. A host's monitors end a moment after it, and are in them until then."""
        end = time.monotonic() + 60
        for folder in reversed(self.folders):
            while True:
                try:
                    folder.rmdir()
                    break
                except OSError:
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.01)
