"""YAML files read with the line of every value, so that each message can name it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from stream_app.errors import DocumentError

#: Keys and indexes from the root of a document to a value.
Path_ = tuple[str | int, ...]
#: Maximum number of values in a document with its anchors expanded; a few lines of anchors can make billions.
_MAX_VALUES = 100_000


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML document: ``data`` is plain Python, ``lines`` maps the path of a value to its line (from 1)."""

    file: Path
    data: Any
    lines: dict[Path_, int] = field(repr=False)

    def line(self, *path: str | int) -> int:
        """Return the line of ``path``, or of its nearest ancestor that has one."""
        nearest: Path_ = path
        while nearest not in self.lines and nearest:
            nearest = nearest[:-1]
        return self.lines.get(nearest, 1)

    def error(self, path: Path_, message: str) -> DocumentError:
        """Return the error to raise, ``file:line: message``, for the line of ``path``."""
        return DocumentError(f"{self.file}:{self.line(*path)}: {message}")


class _Loader(yaml.SafeLoader):
    """A SafeLoader that leaves timestamps as strings, so that the contract decides what they are."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_document(file: Path) -> Document:
    """Read one YAML file with the line of every value.

    Raises:
        DocumentError: the file is missing, is not UTF-8, is not YAML, or has a key twice in one mapping.
    """
    try:
        data = file.read_bytes()
        text = data.decode("utf-8")
    except FileNotFoundError:
        raise DocumentError(f"{file}: the file does not exist; name an existing file") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DocumentError(f"{file}:{line}: the file is not UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise DocumentError(f"{file}: cannot be read ({error.strerror}); make it a file that you may read") from None
    return _parse(text, file)


def _parse(text: str, file: Path) -> Document:
    lines: dict[Path_, int] = {}
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise DocumentError(f"{file}:{line}: not valid YAML: {error.reason}; remove that character") from None
    try:
        node = loader.get_single_node()
        if node is None:
            raise DocumentError(f"{file}:1: the file is empty; write a contract into it, or delete it")
        data = _construct(loader, node, (), lines, file)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = " ".join((error.problem or error.context or "").split())
        raise DocumentError(f"{file}:{line}: not valid YAML: {problem}; check quotes, brackets and indentation there") from None
    except RecursionError:
        raise DocumentError(f"{file}:1: nested too deeply; remove anchors that contain themselves") from None
    finally:
        loader.dispose()
    return Document(file, data, lines)


def _construct(loader: _Loader, node: yaml.Node, path: Path_, lines: dict[Path_, int], file: Path) -> Any:
    lines[path] = node.start_mark.line + 1
    if len(lines) > _MAX_VALUES:
        raise DocumentError(f"{file}:{node.start_mark.line + 1}: more than {_MAX_VALUES:,} values; remove nested anchors")
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = _scalar(loader, key_node, file)
            if not isinstance(key, str):
                raise DocumentError(f"{file}:{line}: the key {key!r} is not a string; quote it")
            if key in mapping:
                first = lines[(*path, key)]
                raise DocumentError(f"{file}:{line}: the key {key!r} appears twice, first on line {first}; remove one")
            mapping[key] = _construct(loader, value_node, (*path, key), lines, file)
            lines[(*path, key)] = line
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_construct(loader, item, (*path, index), lines, file) for index, item in enumerate(node.value)]
    return _scalar(loader, node, file)


def _scalar(loader: _Loader, node: yaml.Node, file: Path) -> Any:
    try:
        return loader.construct_object(node)
    except (ValueError, KeyError, OverflowError):  # the text does not fit its explicit tag
        line = node.start_mark.line + 1
        raise DocumentError(f"{file}:{line}: not valid YAML: the value is not a {node.tag}; remove the tag") from None
