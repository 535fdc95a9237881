"""Templates in files: encodings, YAML that JSON does not have, and errors with the file and its own line and column."""

import builtins
import json

import pytest

import flowworker as fw

PARAMETER = (
    "workflow:\n  parameters:\n    x: %s\n  steps:\n  - {name: a, action: {environment: '', commands: ['echo $x']}}\n"
)
PLAIN = {"workflow": {"parameters": {"x": "käse \U0001f9c0"}, "steps": []}}


@pytest.fixture
def refused(tmp_path):
    """Reads a file that is wrong, and gives the error, which has the place in the file also in its text."""

    def read(name, content, line, column, words=""):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        with pytest.raises(fw.DocumentError) as caught:
            fw.Workflow.from_template(path)
        error = caught.value
        place = "{}: line {}, column {}: ".format(path, line, column) if line else "{}: ".format(path)
        assert str(error).startswith(place), error
        assert (error.line, error.column) == (line, column)
        assert words in str(error) and len(str(error).splitlines()) == 1
        return error

    return read


@pytest.fixture
def yaml():
    return pytest.importorskip("yaml")


# -- encodings

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("ending", ["json", "yaml"])
def test_a_file_may_have_each_encoding_of_unicode(tmp_path, encoding, ending, yaml):
    path = tmp_path / ("t." + ending)
    text = json.dumps(PLAIN, ensure_ascii=False) if ending == "json" else yaml.safe_dump(PLAIN, allow_unicode=True)
    path.write_bytes(text.encode(encoding))
    assert fw.Workflow.from_template(path).values == PLAIN["workflow"]["parameters"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_lines_and_columns_are_those_of_the_text(refused, encoding, yaml):
    refused("t.json", '{"workflow":\n  {"ä": 1, "stepz": []}}'.replace('"ä": 1, ', "").encode(encoding), 2, 4, "stepz")
    refused("t.yaml", "# ä\U0001f9c0\nworkflow:\n  stepz: []\n".encode(encoding), 3, 3, "stepz")


@pytest.mark.parametrize("name", ["t.json", "t.yaml"])
def test_bytes_that_are_no_unicode(refused, name):
    error = refused(name, b'{"workflow":\n "caf\xe9"}', 2, 6, "the byte 0xE9 at offset 18 is not UTF-8")
    assert error.code == -2
    refused(name, b"\xef\xbb\xbf\xff", 1, 1, "the byte 0xFF at offset 3 is not UTF-8")
    refused(name, "{\n".encode("utf-16") + b"\x00", 2, 1, "UTF-16")


# -- JSON

JSON = {
    "empty": ("", 1, 1, "found an empty text"),
    "list": ("\n[]", 2, 1, "expected a workflow (an object), found an array"),
    "null parameters": ('{"workflow": {"steps": []},\n "parameters": null}', 2, 16, "expected an array, found null"),
    "key twice": ('{"workflow": {"steps": [],\n  "steps": []}}', 2, 3, 'duplicate key "steps"'),
    "deep key twice": ('{"workflow": {"steps": [{"name":\n"a",\n "name": "b"}]}}', 3, 2, 'duplicate key "name"'),
    "ignored key twice": ('{"workflow": {"steps": []}, "results": {"a": 1, "a": 2}}', 1, 49, 'duplicate key "a"'),
    "unknown key": ('{"workflow": {"steps": [\n\n {"name": "a", "actoin": {}}]}}', 3, 16, 'did you mean "action"?'),
    "value": ('{"workflow": {"steps": [\n {"name": "a", "timeout":\n  "x"}]}}', 3, 3, "expected a time in seconds"),
    "not a number": ('{"workflow": {"steps": [], "parameters": {"x": NaN}}}', 1, 48, "NaN"),
    "huge integer": ('{"workflow": {"steps": [], "parameters": {"x": %d}}}' % 10**30, 1, 48, "too large"),
    "end": ('{"workflow": {"steps": []}', 1, 27, "ends in the middle"),
    "more": ('{"workflow": {"steps": []}}\n{}', 2, 1, "not valid JSON"),
    "NUL": ('{"workflow": {"steps": [], "parameters": {"x": "\\u0000"}}}', 1, 48, "NUL"),
    "half a pair": ('{"workflow": {"steps": [], "parameters": {"x": "\\ud800"}}}', 1, 48, "invalid Unicode"),
    "deep": ("[" * 100_000, 1, 2049, "2,048 levels"),
    "deep in what is ignored": ('{"workflow": {"steps": []}, "results": %s}' % ("[" * 1900 + "]" * 1900), 0, 0, "deep"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(JSON))
def test_errors_of_json(refused, case):
    refused("t.json", *JSON[case])


# -- YAML

YAML = {
    "empty": ("", 1, 1, "found an empty file"),
    "comments": ("# only\n# comments\n", 1, 1, "found an empty file"),
    "null": ("\n~\n", 2, 1, "expected a workflow (an object), found null"),
    "list": ("- a\n", 1, 1, "expected a workflow (an object), found an array"),
    "text": ("--- text\n", 1, 5, 'expected a workflow (an object), found the string "text"'),
    "null parameters": ("workflow: {steps: []}\nparameters:\n", 2, 12, "expected an array, found null"),
    "two documents": ("a: 1\n---\nb: 2\n", 2, 1, "expected a single document"),
    "tab": ("workflow:\n\tsteps: []\n", 2, 1, "cannot start any token"),
    "bracket": ("workflow: [\n", 2, 1, "expected the node content"),
    "control character": ("workflow:\n  \x01", 2, 3, "it contains the character '\\x01'"),
    "unknown key": ("# c\nworkflow:\n  steps:\n  - name: a\n    actoin: 1\n", 5, 5, 'did you mean "action"?'),
    "value": ("workflow:\n  steps:\n  - name: a\n    timeout: x\n    action: 1\n", 4, 14, "a time in seconds"),
    "missing key": ("workflow:\n  steps:\n  - action: 1\n", 3, 5, 'missing key "name"'),
    "key twice": ("workflow:\n  steps: []\n  steps: []\n", 3, 3, 'duplicate key "steps"'),
    "key twice in quotes": ("workflow: {parameters: {x: 1, 'x': 2}, steps: []}\n", 1, 31, 'duplicate key "x"'),
    "key twice in a list": ("parameters:\n- {name: p, dtype: int,\n   dtype: string}\n", 3, 4, "dtype"),
    "ignored key twice": ("workflow: {steps: []}\nresults:\n- a: 1\n  a: 2\n", 4, 3, 'duplicate key "a"'),
    "merge twice": ("x: &x {a: 1}\ny: {<<: *x, <<: *x}\n", 2, 13, 'duplicate key "<<"'),
    "merge of a number": ("y: {<<: 1}\n", 1, 9, "expected a mapping"),
    "merge into itself": ("y: &y {a: 1, <<: *y}\n", 1, 4, "merged into itself"),
    "error in a merge": ("workflow:\n  steps:\n  - &a {name: a, x: 1}\n  - {<<: *a, name: b}\n", 3, 18, '"x"'),
    "error behind an alias": ("results: &r [1]\nworkflow: {steps: *r}\n", 1, 14, "found the integer 1"),
    "unknown alias": ("workflow: *x\n", 1, 11, "undefined alias"),
    "itself": ("workflow: &w\n  steps: [*w]\n", 1, 11, "contains itself"),
    "integer as a key": (PARAMETER % "{1: 2}", 3, 9, "found the integer 1: put it in quotes"),
    "boolean as a key": (PARAMETER % "{yes: 2}", 3, 9, "found the boolean yes"),
    "null as a key": (PARAMETER % "{~: 2}", 3, 9, "found null"),
    "date as a key": (PARAMETER % "{2020-01-01: 2}", 3, 9, "found the date 2020-01-01"),
    "list as a key": (PARAMETER % "{[a]: 2}", 3, 9, "found a sequence"),
    "huge integer": (PARAMETER % 10**30, 3, 8, "is too large"),
    "huger integer": (PARAMETER % ("9" * 5000), 3, 8, "int of YAML"),
    "no date": (PARAMETER % "2020-13-45", 3, 8, "'2020-13-45' is no timestamp of YAML: put it in quotes"),
    "no integer": (PARAMETER % "!!int x", 3, 8, "'x' is no int of YAML"),
    "no boolean": (PARAMETER % "!!bool x", 3, 8, "'x' is no bool of YAML"),
    "binary": (PARAMETER % "!!binary aGVsbG8=", 3, 8, "unknown tag '!!binary'"),
    "set": (PARAMETER % "!!set {a, b}", 3, 8, "unknown tag '!!set'"),
    "ordered map": (PARAMETER % "!!omap [a: 1]", 3, 8, "unknown tag '!!omap'"),
    "tag": (PARAMETER % "!own 1", 3, 8, "unknown tag '!own'"),
    "object": (PARAMETER % "!!python/object/apply:os.getcwd []", 3, 8, "unknown tag"),
    "NUL": (PARAMETER % '"a\\0"', 3, 8, "the character NUL"),
    "half a pair": (PARAMETER % '"\\ud800"', 3, 8, "half of a surrogate pair"),
    "deep": ("workflow: " + "[" * 5000, 0, 0, "nested too deeply"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(YAML))
def test_errors_of_yaml(refused, case, yaml):
    refused("t.yaml", *YAML[case])


def test_aliases_that_stand_for_too_much(refused, yaml):
    lines = ["a: &a [" + ",".join("1" * 10) + "]"]
    lines += ["{1}: &{1} [{0}]".format(",".join(["*" + a] * 10), b) for a, b in zip("abcdefgh", "bcdefghi")]
    refused("t.yaml", "\n".join(lines), 1, 26, "its aliases stand for too many values")


#: The values of YAML 1.1, as PyYAML reads them, and the text that a command gets.
VALUES = {
    "2020-01-01": ("2020-01-01", "2020-01-01"),
    "2001-12-14t21:59:43.10-05:00": ("2001-12-14 21:59:43.100000-05:00",) * 2,
    ".inf": ("inf", "inf"),
    "-.INF": ("-inf", "-inf"),
    ".nan": ("nan", "nan"),
    "1.0e+3": (1000.0, "1000.0"),
    "017": (15, "15"),
    "0o17": ("0o17", "0o17"),
    "0x1F": (31, "31"),
    "1:30": (90, "90"),
    "1_000": (1000, "1000"),
    "yes": (True, "True"),
    "~": (None, "None"),
    "=": ("=", "="),
    "!!str 5": ("5", "5"),
    "'2020-01-01'": ("2020-01-01", "2020-01-01"),
    "9223372036854775807": (2**63 - 1, str(2**63 - 1)),
}


@pytest.mark.parametrize("text", list(VALUES))
def test_values_of_yaml(tmp_path, text, yaml):
    (tmp_path / "t.yaml").write_text(PARAMETER % text)
    workflow = fw.Workflow.from_template(tmp_path / "t.yaml")
    value, shown = VALUES[text]
    assert repr(workflow.values["x"]) == repr(value)
    assert workflow.run(rundir=tmp_path).check().stdout == [shown + "\n"]


def test_a_date_is_the_same_in_a_file_a_dict_and_an_argument(tmp_path, yaml):
    import datetime
    import decimal
    import pathlib

    text = PARAMETER % "'$[[d]]'" + "parameters:\n- {name: d, dtype: string, defaultValue: 2020-01-01}\n"
    (tmp_path / "t.yaml").write_text(text)
    workflow = fw.Workflow.from_template(tmp_path / "t.yaml")
    for arguments in ({}, {"d": datetime.date(2020, 1, 1)}):
        assert workflow.run(arguments, rundir=tmp_path).check().stdout == ["2020-01-01\n"]
    document = yaml.safe_load(text)
    assert fw.Workflow.from_template(document).run(rundir=tmp_path).check().stdout == ["2020-01-01\n"]
    values = {"x": [float("inf"), decimal.Decimal("1.50"), pathlib.PurePosixPath("a/b"), 1.5], "y": (2**63 - 1,)}
    workflow = fw.Workflow.from_template({"parameters": values, "steps": []})
    assert workflow.values == {"x": ["inf", "1.50", "a/b", 1.5], "y": [2**63 - 1]}


def test_values_of_a_dict_that_no_document_has():
    for value, path in (
        ({"a/b": object()}, "/parameters/x/a~1b"),
        ([1, b"x"], "/parameters/x/1"),
        ({1: 2}, "/parameters/x"),
    ):
        with pytest.raises(fw.DocumentError) as caught:
            fw.Workflow.from_template({"parameters": {"x": value}, "steps": []})
        assert caught.value.path == path and path in str(caught.value)
    deep = {}
    deep["x"] = deep
    with pytest.raises(fw.DocumentError, match="contains itself"):
        fw.Workflow.from_template({"parameters": deep, "steps": []})


def test_merges_and_aliases_are_no_keys_twice(tmp_path, yaml):
    (tmp_path / "t.yaml").write_text(
        "steps:\n- name: a\n  action: &action {environment: '', commands: [echo a]}\n"
        "- name: b\n  action: {<<: *action, commands: [echo b]}\n- name: c\n  action: *action\n"
        "- name: d\n  action: {<<: [{commands: [echo d]}, *action]}\n"
    )
    workflow = fw.Workflow.from_template(tmp_path / "t.yaml")
    assert workflow.run(rundir=tmp_path).check().stdout == ["a\n", "b\n", "a\n", "d\n"]


def test_without_pyyaml(refused, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **keywords):
        if name == "yaml":
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    refused("t.yaml", "workflow: {steps: []}", 0, 0, "requires the package PyYAML")


# -- other files


def test_files_are_included(tmp_path, refused, yaml):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/steps.yaml").write_text(
        "- {name: a, action: {environment: '', commands: ['echo $x $y $z']}}\n- !include parts/more.yml\n"
    )
    (tmp_path / "parts/more.yml").write_text("{name: b, action: {environment: '', commands: [echo b]}}\n")
    (tmp_path / "x.txt").write_bytes(b"\xef\xbb\xbftext")
    (tmp_path / "y.json").write_text('{"y":\n 1}')
    (tmp_path / "t.yaml").write_text(
        "workflow:\n  parameters: {x: !include x.txt, y: !include y.json, z: 1}\n  steps: !include parts/steps.yaml\n"
    )
    workflow = fw.Workflow.from_template(tmp_path / "t.yaml")
    assert workflow.run(rundir=tmp_path).check().stdout == ["text {y:1} 1\n", "b\n"]
    (tmp_path / "parts/more.yml").write_text("name: b\nactoin: {}\n")
    with pytest.raises(fw.DocumentError) as caught:
        fw.Workflow.from_template(tmp_path / "t.yaml")
    assert str(caught.value).startswith("{}: line 2, column 1: unknown key".format(tmp_path / "parts/more.yml"))
    assert caught.value.path == "/workflow/steps/1/actoin"


def test_files_that_cannot_be_included(tmp_path, refused, yaml):
    (tmp_path / "twice.json").write_text('{"a": 1, "a": 2}')
    (tmp_path / "latin.yaml").write_bytes(b"\xe9")
    for name, words in {
        "nothing.yaml": "cannot be read: [Errno 2]",
        "t.yaml": "includes itself",
        "'*.yaml'": "!include reads one file",
        "config.ini": "!include reads one file",
        "[a, b]": "expected the name of a file",
        "twice.json": 'duplicate key "a"',
    }.items():
        refused("t.yaml", "workflow: !include " + name, 1, 11, words)
    (tmp_path / "t.yaml").write_text("workflow: !include latin.yaml")
    with pytest.raises(fw.DocumentError, match=r"latin\.yaml: line 1, column 1: the byte 0xE9"):
        fw.Workflow.from_template(tmp_path / "t.yaml")


# -- names of files


def test_any_path_names_a_file(tmp_path):
    text = json.dumps(PLAIN)
    for path in (tmp_path / "a b.json", str(tmp_path / "c.json"), str(tmp_path / "d.json").encode()):
        with open(path, "w") as file:
            file.write(text)
        assert fw.Workflow.from_template(path).values == PLAIN["workflow"]["parameters"]
    with pytest.raises(FileNotFoundError, match=r"no\.json"):
        fw.Workflow.from_template(tmp_path / "no.json")
    path = str(tmp_path).encode() + b"/\xff\n.json"
    with open(path, "w") as file:
        file.write("[]")
    with pytest.raises(fw.DocumentError, match=r"\\udcff\\n\.json': line 1, column 1: expected a workflow ") as caught:
        fw.Workflow.from_template(path)
    str(caught.value).encode("utf-8")


# -- the grammar of others


@pytest.mark.parametrize(
    "document",
    [
        {"version": "0.6.0", "inputs": {}, "workflow": {"type": "serial", "specification": {"steps": []}}},
        {"workflow": {"type": "serial", "specification": {"steps": []}}},
    ],
)
def test_a_file_of_reana(tmp_path, document):
    (tmp_path / "reana.json").write_text(json.dumps(document))
    with pytest.raises(
        fw.DocumentError, match=r"a reana\.yaml of REANA has this key, and docs/reference/workflow\.md says"
    ):
        fw.Workflow.from_template(tmp_path / "reana.json")


def test_the_action_of_a_step_in_the_step_itself():
    with pytest.raises(fw.DocumentError, match='it is a key of the step\'s "action"'):
        fw.Workflow.from_template({"steps": [{"name": "a", "environment": "", "commands": []}]})
