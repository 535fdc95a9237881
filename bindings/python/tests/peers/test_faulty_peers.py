"""Engines, storage, clusters and interpreters that go wrong: a part of the table that `make peers-faulty` runs."""

import faulty_peers
import rows


def test_each_kind_of_fault_has_a_true_end():
    chosen = list(rows.gate())
    assert len({row.kind for row in chosen}) == 10
    results = faulty_peers.run(chosen, 8, lambda *_: None)
    assert len(results) == len(chosen)
    wrong = ["{}: {}: {}".format(row, "; ".join(faults), said) for row, said, faults in results if faults]
    assert not wrong, "\n".join(wrong)


def test_a_row_is_not_in_order_by_itself(tmp_path):
    """What the rows are compared with notices a success, a wrong message, memory and descriptors."""
    row = next(row for row in rows.rows() if (row.peer, row.call, row.fault) == ("docker", "create", "close"))
    right = {"outcome": "engine_failed", "returncode": 1, "message": "the engine at unix:///s was lost"}
    right.update(stdout=[], grown=0, kept=0)

    def complaints(hits=1, **changed):
        return list(faulty_peers.complaints(row, {**right, **changed}, lambda: hits, lambda: 0, tmp_path))

    assert complaints() == []
    for changed in (
        {"hits": 0},
        {"outcome": "exited", "returncode": 0},
        {"outcome": "oom"},
        {"message": "it failed"},
        {"message": "unix:///\n"},
        {"grown": 1 << 30},
        {"kept": 1000},
        {"lost": "no outcome"},
    ):
        assert len(complaints(**changed)) == 1, changed
