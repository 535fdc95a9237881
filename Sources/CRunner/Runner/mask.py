"""Hides secrets in the texts of notebooks, by the same rule as Secrets/Mask.swift.

The rule is here a second time because papermill writes the output notebook, in a process where the library is not
loaded, and in a container even on another machine. The library could mask the file only after it was written, and would
leave secrets in it whenever the step is killed. Tests/runner/test_mask.py compares the result with the rule.
"""


def places(text, word):
    """The positions of a word in a text, overlapping ones included. By the algorithm of Knuth, Morris and Pratt the
    time does not grow with the length of the word.
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
    for at in range(first, len(text)):
        while size and (size == len(word) or word[size] != text[at]):
            size = back[size - 1]
        size += word[size] == text[at]
        if size == len(word):
            yield at + 1 - size, at + 1


def masked(text, words):
    """The text with three stars in place of each part that words cover, also where words overlap."""
    pieces, end = [], 0
    covered = None
    for place in sorted(place for word in words for place in places(text, word)):
        if covered is not None and place[0] < covered[1]:
            covered = covered[0], max(covered[1], place[1])
            continue
        if covered is not None:
            pieces += text[end : covered[0]], "***"
            end = covered[1]
        covered = place
    if covered is not None:
        pieces += text[end : covered[0]], "***"
        end = covered[1]
    return "".join(pieces) + text[end:]
