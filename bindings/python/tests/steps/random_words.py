"""Random words, as the property tests of commands use them: any text that an argument of a program can be."""

import os
import random

#: Another seed can be tried with this variable. It is in the message of a test that fails.
SEED = int(os.environ.get("FW_TEST_SEED", "20261130"))

#: What a shell, a template, JSON, a protocol or a terminal could take for something else.
SPECIAL = [
    "'", '"', "\\", "`", "$", "$$", "${x}", "${x:q}", "$(id)", "\n", "\r\n", "\t", " ", ";", "&", "|", "<", ">", "(",
    ")", "*", "?", "[a]", "{a,b}", "~", "#", "!", "%", "%s", "\\0", "\\n", "=", "-", "--", "$[[x]]", "\x01", "\x04",
    "\x1b[31m", "\x7f", "\x80", "\u00e4", "\u2028", "\ufeff", "\U0001f600", "\u0301", "\u202e", "\ufffd",
]  # fmt: skip

#: Words that a program or a layer is most likely to lose or to change.
HARD = [
    "", "-", "--", "-n", "-e", "--help", " ", "  two  spaces  ", "\n", "\n\n", "ends with a newline\n", "'", "''", '"',
    "\\", "\\\\", "\\'", "a'b\"c", "$", "$$", "$HOME", "${HOME}", "$(id)", "`id`", "*", "~", "~root", "a=b", "#", "!",
    "; exit 7", "O'Brien", "\t", "\r", "\x01", "\x7f", "\u0080", "\u00e4", "\U0001f600", "null", "[]", "{}", "%s",
]  # fmt: skip


def any_character(rng):
    """Any character of UTF-8 text but NUL."""
    while True:
        # As many of one byte as of two, of three and of four.
        code = rng.randint(*rng.choice([(1, 0x7F), (0x80, 0x7FF), (0x800, 0xFFFF), (0x10000, 0x10FFFF)]))
        if not 0xD800 <= code <= 0xDFFF:
            return chr(code)


def word(rng, longest=100_000):
    """One word: short in most cases, and sometimes as long as `longest` bytes."""
    kind = rng.random()
    if kind < 0.2:
        return rng.choice(HARD)
    if kind < 0.6:
        return "".join(rng.choice(SPECIAL) for _ in range(rng.randint(1, 12)))
    if kind < 0.95:
        return "".join(any_character(rng) for _ in range(rng.randint(1, 40)))
    piece = "".join(any_character(rng) for _ in range(50))
    text = piece * (rng.randint(1, longest) // len(piece.encode()))
    return text[: max(1, len(text) - 1)]


def words(rng, count, longest=100_000, most=500_000):
    """So many words, which have at most `most` bytes together."""
    made = [word(rng, longest) for _ in range(count)]
    while sum(len(one.encode()) for one in made) > most:
        made.remove(max(made, key=len))
    return made


def generator(name):
    """A generator for the test of that name, which gives the same words in each run."""
    return random.Random("{} {}".format(SEED, name))


def first_difference(expected, found, limit=200):
    """Says where two lists of bytes differ; None if they do not."""
    if expected == found:
        return None
    for number, (one, other) in enumerate(zip(expected, found)):
        if one != other:
            at = next((i for i, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
            near = slice(max(0, at - 20), at + limit)
            told = "seed {}: word {} at byte {}: expected {!r}, found {!r}"
            return told.format(SEED, number, at, one[near], other[near])
    return "seed {}: {} words became {}: expected {!r}, found {!r}".format(
        SEED, len(expected), len(found), expected[-3:], [one[:limit] for one in found[-3:]]
    )
