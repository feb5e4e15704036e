"""Read a folder of ODCS v3.1 files, strictly, into compiled contracts."""

from __future__ import annotations

import difflib
import importlib.resources
import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from stream_app.contract.compile import compile_contract
from stream_app.contract.document import Document, read_document
from stream_app.contract.links import check_links
from stream_app.contract.model import Contract, Shop
from stream_app.contract.sales import check_shop_currency, check_shop_visits
from stream_app.contract.segments import listed_segments
from stream_app.errors import DocumentError

DEFAULT_SHOP = Path(__file__).parent.parent / "contracts"
SUFFIX = ".odcs.yaml"
VERSION = "v3.1.0"


def load_shop(folder: Path | None = None) -> Shop:
    """Read and compile every ``*.odcs.yaml`` file of a folder; ``None`` is the built-in shop.

    Raises:
        DocumentError: a file is not strict ODCS v3.1, asks for something Headrace does not support, or refers to an
            entity, field or rule that does not exist. The message reads ``file:line: what; what to do``.
    """
    folder = DEFAULT_SHOP if folder is None else folder
    if not folder.is_dir():
        raise DocumentError(f"{folder}: the folder does not exist; give --shop a folder with one *{SUFFIX} file per entity")
    files = sorted(folder.glob(f"*{SUFFIX}"))
    if not files:
        raise DocumentError(f"{folder}: the folder has no *{SUFFIX} file; write one per entity")
    documents: dict[str, Document] = {}
    contracts: dict[str, Contract] = {}
    for file in files:
        document = read_document(file)
        _check_standard(document)
        contract = compile_contract(document)
        if contract.entity in contracts:
            other = contracts[contract.entity].file
            raise document.error(
                ("schema", 0, "name"), f"the entity {contract.entity!r} is also described in {other}; remove one"
            )
        contracts[contract.entity] = contract
        documents[contract.entity] = document
    for contract in contracts.values():
        check_links(contract, documents[contract.entity], contracts)
    contracts = {entity: replace(one, listed=listed_segments(one, contracts)) for entity, one in contracts.items()}
    try:
        currency = check_shop_currency(contracts.values())
        check_shop_visits(contracts.values())
    except ValueError as error:
        raise DocumentError(f"{folder}: {error}") from None
    return Shop(folder, _parents_first(contracts, folder), currency)


@cache
def _standard() -> Any:
    text = importlib.resources.files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8")
    return jsonschema.Draft201909Validator(json.loads(text))


def _check_standard(document: Document) -> None:
    """Validate the document by the standard's own JSON Schema, in which an unknown key is an error."""
    if not isinstance(document.data, dict):
        raise document.error((), "the document is not a mapping; start it with `apiVersion: v3.1.0`")
    if document.data.get("apiVersion") != VERSION:
        raise document.error(("apiVersion",), f"unsupported apiVersion; write {VERSION}")
    errors = sorted(_standard().iter_errors(document.data), key=lambda error: -len(error.absolute_path))
    if not errors:
        return
    error = errors[0]
    while error.context:
        error = max(error.context, key=lambda inner: len(inner.absolute_path))
    at = tuple(error.absolute_path)
    unexpected = re.findall(r"'([^']*)'(?=[^(]*(?:was|were) unexpected)", error.message)
    if unexpected:
        key = unexpected[0]
        close = difflib.get_close_matches(key, _known_keys(), n=1)
        hint = f"did you mean {close[0]!r}?" if close else "remove it, or write it under customProperties"
        raise document.error((*at, key), f"unknown key {key!r}; {hint}")
    raise document.error(at, f"not ODCS {VERSION}: {error.message[:200]}; follow the standard")


@cache
def _known_keys() -> tuple[str, ...]:
    keys: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            properties = node.get("properties")
            if isinstance(properties, dict):
                keys.update(properties)
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(_standard().schema)
    return tuple(sorted(keys))


def _parents_first(contracts: dict[str, Contract], folder: Path) -> dict[str, Contract]:
    """Sort contracts so that an entity comes after those that it refers to."""
    ordered: dict[str, Contract] = {}
    while len(ordered) < len(contracts):
        ready = [
            contract
            for contract in contracts.values()
            if contract.entity not in ordered
            and all(r.to_entity in ordered or r.to_entity == contract.entity for r in contract.references)
        ]
        if not ready:
            waiting = ", ".join(sorted(set(contracts) - set(ordered)))
            raise DocumentError(f"{folder}: the entities {waiting} refer to each other in a circle; remove one relationship")
        for contract in ready:
            ordered[contract.entity] = contract
    return ordered
