"""Several objects are in flight at once, and large files are sent to S3 in parts that never stay behind."""

import threading
import time

import faulty_bucket
import pytest
from faulty_bucket import HANG, PART

import flowworker as fw

WIDTH = 10
THRESHOLD = 100 << 20


@pytest.fixture
def store(monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with faulty_bucket.Bucket() as server:
        yield server


@pytest.fixture
def start(store, tmp_path):
    def start(step, workers=None, **options):
        volume = fw.S3Bucket("bucket", identifier="v", endpoint=store.endpoint)
        pool = fw.WorkerPool([fw.Subprocess("w", volume="v")], workers, volumes=[volume])
        return fw.Workflow([step], workers=pool).start(rundir=tmp_path / "run", **options)

    return start


@pytest.fixture
def run(start):
    def run(*arguments, **options):
        with start(*arguments, **options) as running:
            result = running.wait()
        if "libcurl cannot be loaded" in (result.message or ""):
            pytest.skip("libcurl is not installed")
        return result

    return run


def step(*commands, **facts):
    return fw.ContainerStep("s", "", list(commands), **facts)


def large(size):
    """A step that makes a file whose parts begin with their numbers, and takes no room on the disk."""
    numbers = (
        "for i in $$(seq 0 12); do printf %04d $$i | dd of=x bs=1 seek=$$((i * {})) conv=notrunc; done 2>/dev/null"
    )
    return step("truncate -s {} x; chmod 750 x; {}".format(size, numbers.format(PART)), outputs=["x"])


SENT = {"s": "w"}


def test_a_file_at_the_threshold_is_one_request(store, run):
    run(large(THRESHOLD), SENT).check()
    assert store.objects == {"x": THRESHOLD} and store.operations == ["put"]


def test_a_file_above_the_threshold_is_sent_in_parts(store, run):
    run(large(THRESHOLD + 1), SENT).check()
    sizes = [PART] * 12 + [THRESHOLD + 1 - 12 * PART]
    assert store.parts == [(size, b"%04d" % number) for number, size in enumerate(sizes)]
    assert store.objects == {"x": THRESHOLD + 1} and store.modes == {"x": "100750"}
    assert store.uploads == {} and "abort" not in store.operations


def test_a_file_beyond_the_limit_of_one_request(store, run):
    size = (5 << 30) + 1
    run(step("truncate -s {} x".format(size), outputs=["x"]), SENT).check()
    assert store.objects == {"x": size} and len(store.parts) == 641


ERROR = b"<?xml version='1.0'?><Error><Code>InternalError</Code><Message>try again</Message></Error>"


@pytest.mark.parametrize(
    "operation, fault, told",
    [
        ("create", (500, ERROR), 'did not begin an upload in parts for the key "x": InternalError: try again'),
        ("create", (200, b""), 'did not begin an upload in parts for the key "x": the answer has no name for it'),
        ("create", ("close", b""), "did not begin an upload in parts"),
        ("part 3", (503, ERROR), 'did not accept part 3 of the key "x": InternalError: try again'),
        ("part 13", (200, b""), 'did not accept part 13 of the key "x": the answer has no tag'),
        ("part 1", ("close", b""), 'did not accept part 1 of the key "x"'),
        ("complete", (200, ERROR), 'did not complete the upload of the key "x": InternalError: try again'),
        ("complete", (200, b""), 'did not complete the upload of the key "x": the answer does not say'),
        ("complete", (200, b"<CompleteMultipartUploadResult>"), "the answer does not say that it is complete"),
        ("complete", (404, ERROR), 'did not complete the upload of the key "x"'),
        ("complete", ("close", b""), 'did not complete the upload of the key "x"'),
    ],
)
def test_an_upload_that_fails_leaves_nothing(store, run, operation, fault, told):
    store.faults[operation] = fault
    result = run(large(THRESHOLD + 1), SENT)
    assert result.outcome == "volume_failed" and told in result.message
    assert "still in the bucket" not in result.message and store.uploads == {} and store.objects == {}


def test_parts_that_cannot_be_removed_are_told(store, run):
    store.faults = {"part 2": (500, ERROR), "abort": (500, ERROR)}
    result = run(large(THRESHOLD + 1), SENT)
    assert result.message.endswith(
        "the parts that were sent are still in the bucket, because the upload was not aborted"
    )


def test_an_object_of_another_size_is_a_failure(store, run):
    store.lost = 1
    result = run(large(THRESHOLD + 1), SENT)
    assert result.outcome == "volume_failed" and "bytes instead of {}".format(THRESHOLD + 1) in result.message


@pytest.mark.parametrize("operation", ["create", "part 4", "complete"])
@pytest.mark.parametrize("way", ["cancel", "deadline", "close"])
def test_an_upload_that_is_ended_leaves_nothing(store, start, wait_until, operation, way):
    store.faults[operation] = ("hang", b"")
    running = start(large(THRESHOLD + 1), SENT, **({"deadline": 5} if way == "deadline" else {}))
    wait_until(lambda: running.wait(0.02) is not None or store.reached.is_set())
    if operation == "create" and way != "deadline":
        # The library waits for the name of the upload, without which it cannot be aborted.
        threading.Timer(0.1, store.go_on.set).start()
    if way == "cancel":
        running.cancel()
    if way != "close":
        assert running.wait().outcome == ("timeout" if way == "deadline" else "cancelled")
    running.close()
    if way == "cancel" or operation != "create":
        wait_until(lambda: store.uploads == {} and ("abort" in store.operations))
    assert store.objects == {}


def test_a_cancel_waits_a_little_for_a_service_that_does_not_answer(store, start, wait_until):
    store.faults["create"] = ("hang", b"")
    running = start(large(THRESHOLD + 1), SENT)
    wait_until(lambda: running.wait(0.02) is not None or store.reached.is_set())
    running.cancel()
    assert running.wait().outcome == "cancelled"
    assert not store.go_on.is_set()
    running.close()


def test_ten_objects_are_in_flight(store, run):
    store.objects = {"d/{:02}".format(number): number for number in range(40)}
    together = threading.Barrier(WIDTH)
    store.on_get = lambda _: together.wait(HANG)
    for inputs in (["d/"], sorted(store.objects)):
        assert run(step("ls d | wc -l; rm -r d", inputs=inputs)).check().stdout == ["40\n"]
    assert store.most == WIDTH


@pytest.mark.parametrize("fault", ["body", "chunks"])
def test_an_object_that_does_not_end_fills_no_disk(store, run, tmp_path, fault):
    store.objects = {"d/x": 5}
    store.faults = {"get d/x": fault}
    result = run(step("true", inputs=["d/"]))
    assert result.outcome == "volume_failed" and "more bytes came than it has" in result.message
    assert not [path for path in (tmp_path / "run").rglob("*") if path.is_file()]


def test_the_first_failure_of_the_list_is_told(store, run, tmp_path):
    store.objects = {"d/{:02}".format(number): 1 for number in range(WIDTH)}
    answered = threading.Event()

    def on_get(key):
        if key == "d/03":
            assert answered.wait(HANG)
            # The failure of the later file has arrived, and the earlier one is still on its way.
            time.sleep(0.2)
        elif key == "d/07":
            threading.Timer(0.1, answered.set).start()

    store.on_get = on_get
    store.faults = {"get d/03": (500, ERROR), "get d/07": (403, ERROR)}
    result = run(step("true", inputs=["d/"]))
    assert result.outcome == "volume_failed" and 'did not send the key "d/03"' in result.message
    assert sorted(path.name for path in (tmp_path / "run/d").iterdir())[:3] == ["00", "01", "02"]
    assert not list((tmp_path / "run/d").glob(".flowworker*"))
    assert {"d/00", "d/01", "d/02"} <= {copy["key"] for copy in result.copies}


def test_files_that_depend_on_each_other_wait(store, run):
    store.objects = {"d/{}".format(number): 1 for number in range(5)}
    found = run(step("find d -type f | wc -l", inputs=["d/", "d/3", "d/4", "d/"])).check()
    assert found.stdout == ["5\n"]
    assert run(step("true", inputs=["d/", "d/none"])).outcome == "input_missing"
