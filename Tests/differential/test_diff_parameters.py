"""Arguments of templates are converted, and declarations refused, as flowServ does it."""

import decimal
import enum
import fractions
import itertools
import random

import pytest
from both import their_errors

import flowworker as fw

their_factory = pytest.importorskip("flowserv.model.parameter.factory")
their_files = pytest.importorskip("flowserv.model.parameter.files")

REFUSED = "refused"
#: The texts around which the interesting numbers are.
NUMBERS = [
    "5", " 5 ", "\u20035\n", "1_000", "1__0", "_1", "1_", "+5", "-5", "+ 5", "--5", "\u0663", "\uff15\u0665", "5.0",
    "5.", ".5", ".", "", " ", "1e5", "1E-5", "1e", "e5", "1_0.5_0e1_0", "1_.5", "1._5", "1e_5", "0x10", "0b1", "0o7",
    "007",
    "inf", "-inf", "+inf", "Inf", "INFINITY", "infinit", "nan", "-NaN", "nan(1)", "1e400", "-1e400", "1e-400", "5j",
    "9223372036854775807", "-9223372036854775808", "\u2212" + "5", "\u00bd", "5 5", "5\0", "true", "None",
]  # fmt: skip
VALUES = [
    *NUMBERS, 5, -5, 0, 1, 5.7, -5.7, 0.1, 1e16, 1e-7, True, False, None, [], [1], {}, {"a": 1}, float("inf"),
    float("-inf"), float("nan"), "t", "T", "f", "F", "TRUE", "False", "yes", "on", "text",
]  # fmt: skip

INT = {"name": "x", "dtype": "int", "index": 0, "isRequired": True}
TEXT = {"name": "y", "dtype": "string", "index": 1, "isRequired": False, "defaultValue": 7}
FLAG = {"name": "z", "dtype": "bool", "index": 2, "isRequired": False}
DECLARATIONS = {
    "int": {"dtype": "int"},
    "int in a range": {"dtype": "int", "range": "[0,10)"},
    "float": {"dtype": "float"},
    "float in a range": {"dtype": "float", "range": " ( -1.5 , ] "},
    "bool": {"dtype": "bool"},
    "string": {"dtype": "string"},
    "select": {
        "dtype": "select",
        "values": [{"name": str(value), "value": value} for value in ("5", 1, 0.5, True, None, "t")],
    },
    "list of int": {"dtype": "list", "para": INT},
    "list of string": {"dtype": "list", "para": TEXT},
    "record": {"dtype": "record", "fields": [INT, TEXT, FLAG]},
    "no fields": {"dtype": "record", "fields": []},
    "list of records": {
        "dtype": "list",
        "para": {"name": "r", "dtype": "record", "index": 0, "isRequired": True, "fields": [INT, FLAG]},
    },
}
RECORDS = [
    [],
    [{"name": "x", "value": "3"}],
    [{"name": "x", "value": "3"}, {"name": "x", "value": 4}],
    [{"name": "x", "value": 3}, {"name": "y", "value": 1.0}, {"name": "z", "value": "t"}],
    [{"name": "z", "value": None}],
    [{"name": "x", "value": "a"}],
    [{"name": "w", "value": 1}],
    [{"name": "x"}],
    [{"value": 1}],
    [{"name": "x", "value": 1, "more": 2}],
    [5],
    {"x": 3},
    ["x"],
]


def theirs(declaration, value):
    """Gives what flowServ makes of an argument, in the form in which a command would get it."""
    document = {"name": "p", "index": 0, "isRequired": True, **declaration}
    parameter = their_factory.ParameterDeserializer.from_dict(document)
    try:
        return shown(parameter.cast(value))
    except (their_errors.InvalidArgumentError, TypeError):
        return REFUSED


def shown(value):
    if isinstance(value, list):
        return [shown(element) for element in value]
    if isinstance(value, dict):
        return {key: shown(element) for key, element in value.items()}
    # JSON has no infinity, so that is a text with us.
    return str(value) if isinstance(value, float) and value - value != 0 else value


def ours(declaration, value, rundir):
    template = {
        "workflow": {"parameters": {"p": "$[[p]]"}, "steps": []},
        "parameters": [{"name": "p", **declaration}],
    }
    try:
        return shown(fw.Workflow.from_template(template).run({"p": value}, rundir=rundir).context["p"])
    except fw.DocumentError as error:
        assert '"p"' in str(error) or "/p" in str(error)
        return REFUSED


def is_text_of_a_container(declaration, value):
    """`str([1])` has a space in flowServ, and lists are compact JSON here (docs/reference/workflow.md)."""
    return declaration.get("dtype") == "string" and isinstance(value, (list, dict))


def is_too_large(value):
    return isinstance(value, int) and not -(2**63) <= value < 2**63


@pytest.mark.parametrize("name", list(DECLARATIONS))
def test_arguments(name, tmp_path):
    declaration = DECLARATIONS[name]
    values = [value for value in VALUES if value != "5\0" and not is_text_of_a_container(declaration, value)]
    if "list" in name:
        values += [[value] for value in values if not isinstance(value, (list, dict))]
    if "record" in name or "fields" in name:
        values += RECORDS + [[record] for record in RECORDS]
    found = {}
    for value in values:
        expected = theirs(declaration, value)
        given = ours(declaration, value, tmp_path)
        if repr(given) != repr(expected):
            found[repr(value)] = (given, expected)
    assert found == {}


class Level(enum.IntEnum):
    HIGH = 3


class Celsius(float):
    def __str__(self):
        return "{:.1f} C".format(self)


@pytest.mark.parametrize("name", ["int", "int in a range", "float", "float in a range", "bool", "string"])
def test_numbers_of_other_types(name, tmp_path):
    values = [decimal.Decimal("5.70"), decimal.Decimal("NaN"), decimal.Decimal("Infinity"), fractions.Fraction(7, 2)]
    for value in [*values, Level.HIGH, Celsius(5.7), Celsius("inf"), 1j]:
        try:
            expected = theirs(DECLARATIONS[name], value)
        except (OverflowError, decimal.InvalidOperation):
            continue
        assert repr(ours(DECLARATIONS[name], value, tmp_path)) == repr(expected), repr(value)


def test_numbers_made_by_chance(tmp_path):
    chance = random.Random(1974)
    pieces = ["1", "0", "9", "_", ".", "e", "E", "+", "-", " ", "\u0664", "\uff11", "\t", "x", "inf", "nan"]
    texts = ["".join(chance.choice(pieces) for _ in range(chance.randrange(1, 7))) for _ in range(1500)]
    for dtype in ("int", "float"):
        declaration = {"dtype": "list", "para": {"name": "q", "dtype": dtype, "index": 0, "isRequired": True}}
        accepted = [text for text in texts if theirs(declaration, [text]) != REFUSED]
        assert 100 < len(accepted) < 1000
        assert repr(ours(declaration, accepted, tmp_path)) == repr(theirs(declaration, accepted))
        single = {"dtype": dtype}
        for text in texts[:250]:
            expected = theirs(single, text)
            if not is_too_large(expected):
                assert repr(ours(single, text, tmp_path)) == repr(expected), repr(text)


def test_integers_that_do_not_fit_are_refused(tmp_path):
    for value in (2**63, -(2**63) - 1, "9223372036854775808", 1e300):
        assert is_too_large(theirs({"dtype": "int"}, value))
        assert ours({"dtype": "int"}, value, tmp_path) == REFUSED


RANGES = [
    "[0,1]", "(0,1)", "[0,1)", "[,1]", "[0,]", "[,]", "(,)", " [ 0 , 1 ] ", "[0;1]", "0,1", "[0,1", "[0,1,2]", "[a,1]",
    "[1,0]", "[1,1]", "[-inf,inf]", "[inf,-inf]", "[0x1,2]", "[1_0,2_0]", "[nan,1]", "", "[]", "[[0,1]]", "[1e1,1e2]",
]  # fmt: skip


@pytest.mark.parametrize("text", RANGES)
def test_ranges(text, tmp_path):
    declaration = {"dtype": "float", "range": text}
    try:
        their_factory.ParameterDeserializer.from_dict({"name": "p", "index": 0, "isRequired": True, **declaration})
    except (ValueError, their_errors.InvalidParameterError):
        with pytest.raises(fw.DocumentError, match="invalid range") as caught:
            fw.Workflow.from_template({"workflow": {"steps": []}, "parameters": [{"name": "p", **declaration}]})
        assert caught.value.path == "/parameters/0/range"
        return
    for value in (-1, 0, 0.5, 1, 2, 15, "inf", "-inf", "nan"):
        assert repr(ours(declaration, value, tmp_path)) == repr(theirs(declaration, value)), value


KEYS = {
    "range": "[0,1]",
    "values": [{"name": "a", "value": 1}],
    "para": INT,
    "fields": [INT],
    "target": "a/b",
    "more": 1,
    "label": "l",
    "help": "h",
    "group": None,
}
TYPES = ["actor", "bool", "file", "float", "int", "list", "record", "select", "string"]
#: What a type cannot be without.
NEEDED = {"select": "values", "list": "para", "record": "fields"}


@pytest.mark.parametrize("dtype, key", list(itertools.product(TYPES, KEYS)))
def test_keys_of_declarations(dtype, key):
    needed = NEEDED.get(dtype)
    declaration = {"name": "p", "dtype": dtype, key: KEYS[key], "index": 0, "isRequired": False}
    if needed is not None:
        declaration[needed] = KEYS[needed]
    try:
        their_factory.ParameterDeserializer.from_dict(dict(declaration))
        is_accepted = True
    except their_errors.InvalidParameterError:
        is_accepted = False
    template = {"workflow": {"steps": []}, "parameters": [declaration]}
    if is_accepted:
        fw.Workflow.from_template(template)
    else:
        with pytest.raises(fw.DocumentError) as caught:
            fw.Workflow.from_template(template)
        assert caught.value.path == "/parameters/0/" + key


@pytest.mark.parametrize("target", ["data/x.txt", None])
@pytest.mark.parametrize("given", ["n.txt", ("n.txt", None), ("n.txt", "own/y.txt")])
def test_files(target, given, tmp_path):
    declaration = {"dtype": "file", "target": target, "defaultValue": "z.txt"}
    document = {"name": "p", "index": 0, "isRequired": True, **declaration}
    expected = str(their_factory.ParameterDeserializer.from_dict(document).cast(given))
    (tmp_path / "n.txt").write_text("names")
    key = ours(declaration, given, tmp_path)
    if target is None and given != ("n.txt", "own/y.txt"):
        # flowServ uploads files, and gives them the default as their name. Here the file already is in a volume.
        assert (expected, key) == ("z.txt", "n.txt")
        return
    assert key == expected
    assert (tmp_path / key).read_text() == "names"


def test_a_default_is_used_as_it_is(tmp_path):
    """flowServ converts arguments and not defaults, so a default of 5 stays 5 for a float."""
    from flowserv.model.template.base import WorkflowTemplate
    from flowserv.model.template.parameter import expand_value

    defaults = {"float": 5, "int": "5", "bool": "t", "string": 7}
    for dtype, default in defaults.items():
        document = {
            "workflow": {"parameters": {"p": "$[[p]]"}, "steps": []},
            "parameters": [{"name": "p", "dtype": dtype, "defaultValue": default}],
        }
        parameters = WorkflowTemplate.from_dict(document).parameters
        expected = expand_value("$[[p]]", parameters.set_defaults({}), parameters)
        given = fw.Workflow.from_template(document).run({}, rundir=tmp_path).context["p"]
        assert repr(given) == repr(expected)
