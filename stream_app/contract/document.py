"""YAML with places: a parsed document that can say on which line each value stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from stream_app.errors import DocumentError

Path_ = tuple[str | int, ...]
#: Values of one document, anchors written out: they can make billions out of a few lines.
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML document: ``data`` is plain Python, ``lines`` maps a path of keys and indexes to a line (1-based)."""

    file: Path
    data: Any
    lines: dict[Path_, int] = field(repr=False)

    def line(self, *path: str | int) -> int:
        """The line of ``path``, or of its nearest ancestor that has one."""
        place: Path_ = path
        while place not in self.lines and place:
            place = place[:-1]
        return self.lines.get(place, 1)

    def error(self, path: Path_, message: str) -> DocumentError:
        """A DocumentError that points at ``path``."""
        return DocumentError(f"{self.file}:{self.line(*path)}: {message}")


class _Loader(yaml.SafeLoader):
    """SafeLoader without YAML 1.1's surprises: timestamps stay text, so that the contract decides what they are."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_document(file: Path) -> Document:
    """Read one YAML file, noting the line of every value.

    Raises:
        DocumentError: the file is missing, is no UTF-8 text or no YAML, or a key stands twice in one mapping.
    """
    try:
        data = file.read_bytes()
        text = data.decode("utf-8")
    except FileNotFoundError:
        raise DocumentError(f"{file}: no such file; name an existing one") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DocumentError(f"{file}:{line}: not UTF-8 text; save the file as UTF-8") from None
    except OSError as error:
        raise DocumentError(f"{file}: cannot be read ({error.strerror}); make it a readable file") from None
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
            raise DocumentError(f"{file}:1: the file is empty; write a contract, or remove it")
        data = _construct(loader, node, (), lines, file)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = " ".join((error.problem or error.context or "").split())
        raise DocumentError(f"{file}:{line}: not valid YAML: {problem}; check quotes, brackets and indentation there") from None
    except RecursionError:
        raise DocumentError(f"{file}:1: nested too deeply; write it without anchors that hold themselves") from None
    finally:
        loader.dispose()
    return Document(file, data, lines)


def _construct(loader: _Loader, node: yaml.Node, path: Path_, lines: dict[Path_, int], file: Path) -> Any:
    lines[path] = node.start_mark.line + 1
    if len(lines) > _MOST:
        raise DocumentError(f"{file}:{node.start_mark.line + 1}: more than {_MOST:,} values; write it without nested anchors")
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = _scalar(loader, key_node, file)
            if not isinstance(key, str):
                raise DocumentError(f"{file}:{line}: the key {key!r} is no text; quote it")
            if key in mapping:
                first = lines[(*path, key)]
                raise DocumentError(f"{file}:{line}: the key {key!r} already stands on line {first}; remove one")
            mapping[key] = _construct(loader, value_node, (*path, key), lines, file)
            lines[(*path, key)] = line
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_construct(loader, item, (*path, index), lines, file) for index, item in enumerate(node.value)]
    return _scalar(loader, node, file)


def _scalar(loader: _Loader, node: yaml.Node, file: Path) -> Any:
    try:
        return loader.construct_object(node)
    except (ValueError, KeyError, OverflowError):  # what an explicit tag promises and the text does not keep
        line = node.start_mark.line + 1
        raise DocumentError(f"{file}:{line}: not valid YAML: this is no {node.tag}; remove the tag") from None
