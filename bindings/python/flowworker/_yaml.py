"""YAML files as JSON text, of which each key and each value has its place in the file.

PyYAML parses the text. The values are those that flowServ gets from PyYAML (YAML 1.1), as far as JSON has them: dates,
times and numbers that are not finite become the text that Python shows for them. Everything else that JSON does not
have is refused at its place.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from typing import Any, Callable, Dict, List, Set, Tuple

from ._document_file import Place, read_text, refused
from ._values import LARGEST, SMALLEST
from .errors import DOCUMENT, SYNTAX, DocumentError

_TAG = "tag:yaml.org,2002:"
_INCLUDE = "!include"
#: Scalars that have a value in JSON, or a text in its place, with the words for one in a message.
_SCALARS = {
    "bool": "the boolean {}",
    "float": "the number {}",
    "int": "the integer {}",
    "null": "null",
    "timestamp": "the date {}",
}
#: A document with aliases may be much larger than its file. These are the largest number of its values, and the
#: largest number of characters of its JSON text.
_MOST_VALUES = 1_000_000
_MOST_CHARACTERS = 1 << 28

#: The key and the value of a member of a mapping, as PyYAML's nodes.
_Member = Tuple[Any, Any]


def as_json(text: str, path: str) -> Tuple[str, Callable[[int], Place]]:
    """Returns a YAML document as a line of JSON text, and a function that gives the place of a column in that line."""
    try:
        writer = _Writer(path)
        writer.write_file(text, path)
    except RecursionError as error:
        raise refused((path, 0, 0), "the document is nested too deeply", SYNTAX) from error
    return "".join(writer.pieces), writer.place_of


class _Writer:
    """Writes the JSON text of YAML nodes, and remembers where each part of it comes from."""

    def __init__(self, path: str) -> None:
        try:
            import yaml  # type: ignore[import-untyped, unused-ignore]
        except ImportError as error:
            raise refused(
                (path, 0, 0), "it is not a .json file, and reading YAML requires the package PyYAML", SYNTAX
            ) from error
        self._yaml = yaml
        #: As in flowServ, the names of included files are relative to the folder of the first file.
        self._folder = os.path.dirname(os.path.abspath(path))
        self._path = path
        self.pieces: List[str] = []
        self._length = 0
        self._values = 0
        #: For each key and value: where it begins in the JSON text, and where it is in its file.
        self._offsets: List[int] = []
        self._marks: List[Any] = []
        #: The members of mappings, by the identities of their nodes.
        self._members: Dict[int, Dict[str, _Member]] = {}
        #: The nodes and files that contain the one that is being written.
        self._open: Set[Any] = set()
        #: The nodes of all files. Their identities are keys as long as they live.
        self._roots: List[Any] = []

    def place_of(self, column: int) -> Place:
        at = bisect_right(self._offsets, max(0, column - 1)) - 1
        return _place(self._marks[max(0, at)]) if self._marks else (self._path, 1, 1)

    def _put(self, text: str) -> None:
        self.pieces.append(text)
        self._length += len(text)

    # -- files

    def write_file(self, text: str, path: str) -> None:
        try:
            loader = self._yaml.SafeLoader(text)
        except self._yaml.reader.ReaderError as error:
            before = text[: error.position]
            place = (path, before.count("\n") + 1, error.position - (before.rfind("\n") + 1) + 1)
            message = "the text is not valid YAML: it contains the character {}".format(ascii(text[error.position]))
            raise refused(place, message, SYNTAX) from error
        loader.name = path
        try:
            root = loader.get_single_node()
            if root is None:
                raise refused((path, 1, 1), "expected a document, found an empty file", SYNTAX)
            self._roots.append(root)
            self._write(root, loader)
        except self._yaml.MarkedYAMLError as error:
            words = " ".join(filter(None, (error.context, error.problem)))
            mark = error.problem_mark or error.context_mark
            place = (path, 0, 0) if mark is None else _place(mark)
            message = "the text is not valid YAML: " + "".join(c if c.isprintable() else " " for c in words)
            raise refused(place, message, SYNTAX) from error
        finally:
            loader.dispose()

    def _include(self, node: Any) -> None:
        if node.id != "scalar" or not node.value:
            raise _refused(node, "expected the name of a file behind !include")
        path = os.path.join(self._folder, node.value)
        ending = os.path.splitext(path)[1].lower()
        if any(character in node.value for character in "*?[]") or ending not in (".yaml", ".yml", ".json", ".txt"):
            raise _refused(
                node,
                "!include reads one file with the ending .yaml, .yml, .json or .txt, and not {!r}".format(node.value),
            )
        real = os.path.realpath(path)
        if real in self._open:
            raise _refused(node, "the file {!r} includes itself".format(node.value))
        self._open.add(real)
        try:
            text = read_text(path)
        except (OSError, ValueError) as error:
            if isinstance(error, DocumentError):
                raise
            raise _refused(node, "the file {!r} cannot be read: {}".format(node.value, error)) from error
        if ending == ".txt":
            self._put(json.dumps(text))
        elif ending == ".json":
            self._put(_checked_json(node, text))
        else:
            self.write_file(text, path)
        self._open.discard(real)

    # -- nodes

    def _write(self, node: Any, loader: Any) -> None:
        self._offsets.append(self._length)
        self._marks.append(node.start_mark)
        self._values += 1
        if self._values > _MOST_VALUES or self._length > _MOST_CHARACTERS:
            raise _refused(node, "the document is too large: its aliases stand for too many values")
        if node.tag == _INCLUDE:
            return self._include(node)
        if node.id == "scalar":
            return self._put(_scalar(node, loader))
        if node.tag != _TAG + ("map" if node.id == "mapping" else "seq"):
            raise _unknown_tag(node)
        if id(node) in self._open:
            raise _refused(node, "the value contains itself")
        self._open.add(id(node))
        if node.id == "sequence":
            for number, element in enumerate(node.value):
                self._put("," if number else "[")
                self._write(element, loader)
            self._put("]" if node.value else "[]")
        else:
            members = self._members_of(node)
            for number, (key, (key_node, value)) in enumerate(members.items()):
                self._put("," if number else "{")
                self._offsets.append(self._length)
                self._marks.append(key_node.start_mark)
                self._put(json.dumps(key) + ":")
                self._write(value, loader)
            self._put("}" if members else "{}")
        self._open.discard(id(node))

    def _members_of(self, node: Any) -> Dict[str, _Member]:
        """Returns the members of a mapping by their keys: its own ones, and those that `<<` merges into it."""
        known = self._members.get(id(node))
        if known is not None:
            return known
        own: Dict[str, _Member] = {}
        merges: List[Any] = []
        for key_node, value in node.value:
            if key_node.tag == _TAG + "merge":
                if merges:
                    raise _refused(key_node, 'duplicate key "<<": write <<: [*a, *b] for several mappings')
                merges += value.value if value.id == "sequence" else [value]
                continue
            key = _key(key_node)
            if key in own:
                raise _refused(key_node, "duplicate key {}".format(json.dumps(key)))
            own[key] = (key_node, value)
        merged: Dict[str, _Member] = {}
        for source in merges:
            if source.id != "mapping":
                raise _refused(source, "expected a mapping, or a list of mappings, behind the key <<")
            if ("merge", id(source)) in self._open:
                raise _refused(source, "the mapping is merged into itself")
            self._open.add(("merge", id(source)))
            for key, member in self._members_of(source).items():
                merged.setdefault(key, member)
            self._open.discard(("merge", id(source)))
        members = self._members[id(node)] = {**merged, **own}
        return members


def _key(node: Any) -> str:
    if node.id != "scalar":
        raise _refused(node, "expected a string as a key, found a {}".format(node.id))
    if node.tag in (_TAG + "str", _TAG + "value"):
        return _text(node)
    kind = node.tag[len(_TAG) :] if node.tag.startswith(_TAG) else ""
    if kind not in _SCALARS:
        raise _unknown_tag(node)
    found = _SCALARS[kind].format(node.value)
    raise _refused(node, "expected a string as a key, found {}: put it in quotes".format(found))


def _text(node: Any) -> str:
    text = str(node.value)
    # An escape such as \ud800 makes one. A NUL is left to the library.
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise _refused(node, "a string contains half of a surrogate pair, which is not valid text")
    return text


def _scalar(node: Any, loader: Any) -> str:
    """Returns the JSON text of a scalar."""
    if node.tag in (_TAG + "str", _TAG + "value"):
        return json.dumps(_text(node))
    kind = node.tag[len(_TAG) :] if node.tag.startswith(_TAG) else ""
    if kind not in _SCALARS:
        raise _unknown_tag(node)
    try:
        value = loader.construct_object(node)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # PyYAML recognizes scalars by their form, and raises what Python raises for 2020-13-45 or !!int x.
        raise _refused(
            node, "{} is no {} of YAML: put it in quotes if it is a text".format(_shown(node.value), kind)
        ) from error
    if kind == "int" and not SMALLEST <= value <= LARGEST:
        raise _refused(node, "the integer {} is too large: integers go from -2^63 to 2^63-1".format(_shown(node.value)))
    if kind == "timestamp" or (kind == "float" and value - value != 0):
        return json.dumps(str(value))
    return json.dumps(value)


def _checked_json(node: Any, text: str) -> str:
    """Returns the text of an included JSON file in one line. The places in it are those of the `!include`."""

    def members(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for at, key in enumerate(keys) if key in keys[:at])
            raise ValueError("duplicate key {}".format(json.dumps(twice)))
        return found

    try:
        return json.dumps(json.loads(text, object_pairs_hook=members), allow_nan=False)
    except ValueError as error:
        raise _refused(node, "the file {!r} is not valid JSON: {}".format(node.value, error)) from error


def _shown(text: str) -> str:
    shown = ascii(text)
    return shown if len(shown) <= 40 else shown[:40] + "..."


def _unknown_tag(node: Any) -> DocumentError:
    tag = node.tag.replace(_TAG, "!!")
    return _refused(node, "unknown tag {}: a document has the values that JSON has, and dates".format(_shown(tag)))


def _place(mark: Any) -> Place:
    return (mark.name, mark.line + 1, mark.column + 1)


def _refused(node: Any, message: str) -> DocumentError:
    return refused(_place(node.start_mark), message, DOCUMENT)
