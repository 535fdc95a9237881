"""Checks of sandboxes: that they hold, or that a step says what is missing and does not start."""

import os

from common import FOLDER, run, same

#: The sandbox that needs no namespace.
ALONE = {"network": "host", "private_tmp": False, "processes": "host"}
OUTSIDE = "/usr/fw-suite"
COMMAND = ": > inside; touch {} && echo outside".format(OUTSIDE)


def sandboxed(sandbox, command=COMMAND):
    (FOLDER / "inside").unlink(missing_ok=True)
    try:
        return run(command, options={"sandbox": sandbox})
    finally:
        if os.path.exists(OUTSIDE):
            os.remove(OUTSIDE)


def holds(sandbox, layers):
    result = sandboxed(sandbox)
    assert result.outcome == "exited", (result.message, result.explanation)
    facts = result.commands[0]["sandbox"]
    same(("".join(result.stdout), facts["missing"]), ("", []))
    assert (FOLDER / "inside").exists()
    assert set(layers) <= set(facts["layers"]), facts


def test_a_sandbox():
    holds(True, ["mount_namespace", "pid_namespace", "ipc_namespace", "network_namespace", "seccomp", "no_new_privs"])


def test_a_sandbox_without_namespaces():
    holds(ALONE, ["landlock", "seccomp", "no_new_privs", "no_capabilities"])


def test_a_sandbox_that_is_not_there_is_told():
    """Nothing has run then, and the message is one line about the sandbox."""
    for sandbox in (True, ALONE):
        result = sandboxed(sandbox)
        if result.outcome == "exited":
            continue
        same(result.outcome, "spawn_failed")
        assert "sandbox" in result.message and "\n" not in result.message, result.message
        assert not (FOLDER / "inside").exists()


def test_a_sandbox_as_far_as_there_is_one():
    for sandbox in ({"required": False}, {**ALONE, "required": False}):
        result = sandboxed(sandbox)
        same(result.outcome, "exited")
        assert (FOLDER / "inside").exists()
        facts = result.commands[0]["sandbox"]
        assert not result.stdout or "write" in facts["missing"], facts


def test_a_sandbox_ends_all():
    command = "(setsid sleep 600 &) ; sleep 600 & sleep 0.2"
    facts = sandboxed({"required": False}, command).commands[0]
    assert facts["containment"] != "namespace" or facts["is_ended"], facts
