"""Checks of limits of all processes: they hold, or a step does not start and says which one cannot be kept."""

from common import FOLDER, run, same

LIMITS = {"memory": 256 << 20, "cpus": 1, "pids": 50}
KEEPERS = {"memory": {"cgroup1", "cgroup2"}, "cpus": {"cgroup1", "cgroup2"}, "pids": {"cgroup1", "cgroup2"}}
#: What may stand for them.
LESS = {"memory": {"rlimit"}, "cpus": {None}, "pids": {"rlimit", None}}


def limited(limits, **options):
    (FOLDER / "inside").unlink(missing_ok=True)
    return run(": > inside; true", options={"tree_limits": limits, **options})


def test_limits_of_all_processes():
    """Each is kept by a control group. Or nothing has run, and the message is one line about the limit."""
    for limit, keepers in KEEPERS.items():
        result = limited({limit: LIMITS[limit]})
        if result.outcome == "exited":
            assert result.commands[0]["tree_limits"][limit] in keepers, result.commands[0]["tree_limits"]
            continue
        same(result.outcome, "spawn_failed")
        assert "of all processes cannot be limited" in result.message and "\n" not in result.message, result.message
        assert '"required": false' in result.explanation["likely"], result.explanation
        assert not (FOLDER / "inside").exists()


def test_limits_of_all_processes_as_far_as_there_are_any():
    result = limited({**LIMITS, "memory": 16 << 30, "pids": 4_000_000, "required": False})
    same(result.outcome, "exited")
    assert (FOLDER / "inside").exists()
    kept = result.commands[0]["tree_limits"]
    assert all(kept[limit] in KEEPERS[limit] | LESS[limit] for limit in LIMITS), kept
    missing = [limit for limit in LIMITS if kept[limit] is None]
    assert any("tree_limits" in note for note in result.notes) == bool(missing), (result.notes, kept)
