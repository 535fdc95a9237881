"""Hides secrets in the texts of notebooks, by the same rule as Secrets/Mask.swift.

The rule is implemented a second time because papermill writes the output notebook, in a process where the library is
not loaded, and with a container even on another machine. The library could mask the file only after it was written, and
secrets would stay in it if the step were killed. Tests/runner/test_mask.py compares the result with the rule.
"""


def spans(text, word):
    """Yields the ranges of a word in a text, including overlapping ranges.

    With the algorithm of Knuth, Morris and Pratt the time does not grow with the length of the word.
    """
    first = text.find(word)
    if first < 0:
        return
    back, size = [0], 0
    for letter in word[1:]:
        while size and word[size] != letter:
            size = back[size - 1]
        size += word[size] == letter
        back.append(size)
    size = 0
    for index in range(first, len(text)):
        while size and (size == len(word) or word[size] != text[index]):
            size = back[size - 1]
        size += word[size] == text[index]
        if size == len(word):
            yield index + 1 - size, index + 1


def masked(text, words):
    """Returns the text with three stars in place of each part that words cover, even if words overlap."""
    pieces, end = [], 0
    covered = None
    for span in sorted(span for word in words for span in spans(text, word)):
        if covered is not None and span[0] < covered[1]:
            covered = covered[0], max(covered[1], span[1])
            continue
        if covered is not None:
            pieces += text[end : covered[0]], "***"
            end = covered[1]
        covered = span
    if covered is not None:
        pieces += text[end : covered[0]], "***"
        end = covered[1]
    return "".join(pieces) + text[end:]
