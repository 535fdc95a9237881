"""The functions of the Python host. The C host has its own function under the same name (host.c)."""

import re


def next_month(text):
    """Returns the month after one that is written as YYYY-MM."""
    found = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", text)
    if found is None:
        raise ValueError("a month is written as YYYY-MM, not as {!r}".format(text))
    year, month = int(found[1]), int(found[2])
    return "{:04}-{:02}".format(year + month // 12, month % 12 + 1)
