"""Commands have the same text as in flowServ: placeholders, values, whitespace, and errors."""

import random
import struct
import sys

import pytest
from both import Refused, expand_ours, expand_theirs, run_ours

CONTEXT = {
    "a": 1,
    "A": "upper",
    "_x1": "under",
    "empty": "",
    "dollar": "$a ${a} $$ $",
    "text": "käse \U0001f9c0\n\ttwo",
    "yes": True,
    "no": False,
    "none": None,
    "1": "never",
    "a b": "never",
}

# After this exception no command is run.
END = ": exit 0\nexit 0\n"


def check(command, rundir, context, variables=None):
    theirs = expand_theirs(command, context, variables)
    assert expand_ours(command, context, rundir, variables) == theirs
    return theirs


@pytest.mark.parametrize(
    "template",
    [
        "$a",
        "${a}",
        "$a$a",
        "$A $a",
        "$_x1",
        "${_x1}y",
        "$a.txt",
        "$a/b",
        "$a-$A",
        "$unknown",
        "${unknown}",
        "${unknown}.txt",
        "${unknown}$a",
        "$unknown $other",
        "$$a",
        "$$",
        "$$$$",
        "$$$a",
        "$$${a}",
        "$${a}",
        "x$$",
        "$empty",
        "[$empty]",
        "$dollar",
        "$text",
        "$yes $no $none",
        "no placeholder",
        "{a} %a ~a `a`",
        "a\u00e9 $a\u00e9",
        "$a\u2028$a\x85$a\r$a\n$a",
    ],
    ids=repr,
)
def test_a_text(template, rundirs):
    text = check(END + template, rundirs[1], CONTEXT)
    assert not isinstance(text, Refused)


@pytest.mark.parametrize(
    "template",
    [
        "echo $(date)",
        "$?",
        "$1",
        "${1}",
        "${a b}",
        "${",
        "${a",
        "${}",
        "$é",
        "${é}",
        "$ſ",
        "${aſ}",
        "$\u212a",
        "$-",
        "$@x",
        "x\n$?",
        "x\n\n  $?",
        "x\r$?",
        "x\r\n $?",
        "x\n\r$?",
        "x\x0b$?",
        "x\x0c$?",
        "x\x1c$?\x1d",
        "x\x1d$?",
        "x\x1e$?",
        "x\x1f$?",
        "x\x85$?",
        "x\u2028$?",
        "x\u2029\u2029y$?",
        "käse\U0001f9c0$?",
        "\U0001f9c0\n\U0001f9c0\u0308$?",
        "\ufeff$?",
        "$$ $$ $?",
        "$a ${a} $?",
        "$text$?",
        "$? $?",
        "\n$?",
        "   $?",
    ],
    ids=repr,
)
def test_a_place_that_is_invalid(template, rundirs):
    assert isinstance(check(template, rundirs[1], CONTEXT), Refused)


def test_the_index_of_the_command_that_is_invalid(rundirs):
    import flowworker

    with pytest.raises(flowworker.TemplateError) as caught:
        run_ours(["touch a", "touch b", "x $?"], rundirs[1])
    assert caught.value.path == "/action/commands/2"
    assert list(rundirs[1].iterdir()) == []


PIECES = "$a ${a} $b ${b} $$ $( ${ } $1 $é $_x1 x y é ' \" \\ \U0001f9c0".split(" ")
PIECES += [" ", "\t", "\n", "\r", "\x85", "\u2028", "\x1c", "$a ", "$b\n"]


def test_texts_made_by_chance(rundirs):
    """Commands of random pieces; those on which flowServ fails by accident are left out."""
    chance = random.Random(20211)
    compared, refused = 0, 0
    while compared < 400:
        template = "".join(chance.choice(PIECES) for _ in range(chance.randrange(1, 9)))
        try:
            theirs = expand_theirs(template, CONTEXT)
            if not isinstance(theirs, Refused):
                template = END + template
                theirs = expand_theirs(template, CONTEXT)
        except (KeyError, IndexError):
            continue
        assert expand_ours(template, CONTEXT, rundirs[1]) == theirs, repr(template)
        compared += 1
        refused += isinstance(theirs, Refused)
    assert 100 < refused < 300


def test_variables_of_the_worker_win(rundirs):
    template = END + "$a $b ${c} $d"
    text = check(template, rundirs[1], {"a": "context", "b": "context"}, {"a": "worker", "c": 7})
    assert text.endswith("worker context 7 d")


@pytest.mark.parametrize("character", [chr(code) for code in range(1, 0x3001) if chr(code).isspace()], ids=ascii)
def test_whitespace_around_a_command_is_removed(character, rundirs):
    command = character + ":" + character + ":" + character * 2
    assert check(command, rundirs[1], {}) == ":" + character + ":"


@pytest.mark.parametrize("character", ["\u200b", "\u180e", "\ufeff", "\u2060", "\x7f", "\x1b"], ids=ascii)
def test_what_only_looks_like_whitespace_is_kept(character, rundirs):
    command = character + END + character
    assert check(command, rundirs[1], {}) == command


def test_whitespace_of_values_is_removed_as_well(rundirs):
    assert check("$a$b$a", rundirs[1], {"a": " \n\u2003", "b": ":"}) == ":"


def doubles():
    """Doubles of every size, some thousands, the same ones each time."""
    chance = random.Random(754)
    values = [0.0, -0.0, 0.1 + 0.2, 1e16, 1e-5, 5e-324, 2.0**-1022, sys.float_info.max, 2.0**53]
    values += [float(10**power) for power in range(0, 40)]
    values += [10.0**-power for power in range(0, 40)]
    values += [number / 10 for number in range(-300, 300)]
    values += [chance.uniform(-1, 1) * 10.0 ** chance.randrange(-30, 30) for _ in range(1500)]
    while len(values) < 5000:
        (value,) = struct.unpack("<d", struct.pack("<Q", chance.getrandbits(64)))
        if value == value and abs(value) != float("inf"):
            values.append(value)
    return values


def compare_values(values, rundir):
    """Compares the texts of many values at once, in as few commands as a shell can take."""
    names = ["v{}".format(number) for number in range(len(values))]
    context = dict(zip(names, values))
    commands = [
        ": " + " ".join("$" + name for name in names[start : start + 500]) for start in range(0, len(names), 500)
    ]
    result = run_ours(commands, rundir, context)
    assert result.returncode == 0
    ours = [text for command in result.commands for text in command["command"].split()[1:]]
    theirs = [text for c in commands for text in expand_theirs(c, context).split()[1:]]
    assert len(ours) == len(values)
    assert [pair for pair in zip(ours, theirs) if pair[0] != pair[1]] == []


def test_doubles(rundirs):
    compare_values(doubles(), rundirs[1])


def test_integers(rundirs):
    chance = random.Random(64)
    values = [0, 1, -1, 2**63 - 1, -(2**63), 2**63, -(2**63) - 1, 10**30]
    values += [chance.randrange(-(2**63), 2**63) >> chance.randrange(64) for _ in range(2000)]
    compare_values(values, rundirs[1])
