"""The answers of a sandbox to attempts, as docs/reference/sandbox-attempts.md has them."""

import errno
import re

from sandbox_place import PAGE


def table(mark):
    """The rows of a table of the page, as lists of cells."""
    text = PAGE.read_text(encoding="utf-8")
    lines = re.search(r"<!-- {} -->\n(.*?)<!-- end -->".format(mark), text, re.DOTALL).group(1).splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]


def expected(column, who):
    """The answers of a column by the attempts' names; None is not judged."""
    head, *rows = table("attempts")
    found = {row[0].strip("`"): row[head.index(column)] for row in rows}
    return {name: number(cell, who) for name, cell in found.items()}


def number(cell, who):
    if cell == "-":
        return None
    parted = dict(part.split(" ") for part in cell.split(", ")) if " " in cell else {}
    text = parted.get(who, cell)
    return 0 if text == "0" else getattr(errno, text)


def shown(answer):
    return errno.errorcode.get(answer, str(answer))


def wrong(place, answers, column, name):
    """The attempts that are answered in another way than the page's column says, and its differences of this sandbox.

    `place` knows who attempts, and what each attempt comes to without a sandbox."""
    wanted = expected(column, place.who)
    for one, attempt, cell in table("differences")[1:]:
        if one == name:
            wanted[attempt.strip("`")] = number(cell, place.who)
    assert answers.keys() == place.control.keys()
    found = []
    for attempt, answer in answers.items():
        want = wanted[attempt]
        if want is None:
            continue
        if place.control[attempt] != 0:
            # It fails without a sandbox: the error may be that one.
            is_right = answer != 0 or want == 0
        else:
            is_right = answer == want
        if not is_right:
            found.append("{}: {} in place of {}".format(attempt, shown(answer), shown(want)))
    return found
