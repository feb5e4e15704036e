"""The rule catalogue says what the code does: examples compile, findings are those of the rules, nothing is left out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from stream_app.contract import Contract, Dimension, Severity, load_shop
from stream_app.contract.compile import RECORD_RULES, SERVICE_DATES
from stream_app.contract.custom import IMPLEMENTATIONS, MINIMUM, THRESHOLD
from stream_app.contract.fields import OPTIONS, option_dimension
from stream_app.contract.formats import FLOATS, FORMATS, INTEGERS, REFUSED
from stream_app.contract.model import LogicalType, RuleKind
from stream_app.contract.quality import METRICS
from stream_app.contract.thresholds import OPERATORS, UNITS
from stream_app.judge.verdict import findings_json
from tests.support.paths import DOCS

TEXT = (DOCS / "reference" / "rules.md").read_text("utf-8")
CONTRACTS = (DOCS / "reference" / "contracts.md").read_text("utf-8")
HEAD = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "x", "version": "1", "status": "active"}
FIELDS: dict[str, list[dict[str, Any]]] = {
    "customers": [{"name": "customer_id", "logicalType": "integer", "required": True}],
    "products": [
        {"name": "product_id", "logicalType": "integer", "required": True},
        {"name": "category", "logicalType": "string"},
        {"name": "unit_price", "logicalType": "number"},
    ],
    "orders": [
        {"name": "order_id", "logicalType": "integer", "required": True},
        {"name": "customer_id", "logicalType": "integer", "relationships": [{"to": "customers.customer_id"}]},
        {"name": "product_id", "logicalType": "integer", "relationships": [{"to": "products.product_id"}]},
        {"name": "quantity", "logicalType": "integer", "required": True},
        {"name": "price", "logicalType": "number", "required": True},
        {"name": "order_date", "logicalType": "timestamp"},
        {"name": "country", "logicalType": "string"},
        {"name": "state", "logicalType": "string"},
    ],
}
KEYS = {"customers": "customer_id", "products": "product_id"}


def sections() -> dict[str, str]:
    """Kind → its section."""
    parts = re.split(r"^## `(\w+)`$", TEXT.split("\n## Implementations")[0], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def rows(header: str) -> Iterator[list[str]]:
    """The cells of the table that begins with this header."""
    lines = TEXT[TEXT.index(f"| {header} |") :].splitlines()
    for line in lines[2:]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def with_example(folder: Path, example: dict[str, Any]) -> Contract:
    """The contract of the example's entity, compiled with what the example adds."""
    entity = example.pop("entity", "orders")
    for name, fields in FIELDS.items():
        schema: dict[str, Any] = {"name": name, "properties": list(fields)}
        if name in KEYS:
            schema["customProperties"] = [{"property": "recordKey", "value": KEYS[name]}]
        if name == entity:
            new = example.pop("properties", [])
            schema["properties"] = [one for one in fields if one["name"] not in {each["name"] for each in new}] + new
            schema |= example
            if name in KEYS:
                schema["customProperties"] = [{"property": "recordKey", "value": KEYS[name]}]
        (folder / f"{name}.odcs.yaml").write_text(yaml.safe_dump(HEAD | {"schema": [schema]}), "utf-8")
    return load_shop(folder).contracts[entity]


def test_every_kind_of_rule_has_a_section_and_the_other_way_round() -> None:
    assert set(sections()) == set(get_args(RuleKind))


@pytest.mark.parametrize("kind", get_args(RuleKind))
def test_the_example_compiles_to_the_finding_that_is_shown(kind: str, tmp_path: Path) -> None:
    section = sections()[kind]
    contract = with_example(tmp_path, yaml.safe_load(blocks(section, "yaml")[0]))
    [shown] = blocks(section, "json")
    finding = json.loads(shown)
    rule = contract.rules[finding["rule"]]
    assert rule.kind == kind
    assert json.loads(findings_json([rule])) == [finding]


def test_every_other_example_compiles_too(tmp_path: Path) -> None:
    examples = blocks(TEXT, "yaml")
    assert len(examples) == len(get_args(RuleKind)) + 1
    for number, example in enumerate(examples):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert with_example(folder, yaml.safe_load(example)).rules


def test_the_record_rules_are_those_of_the_code() -> None:
    table = {names(rule)[0]: (dimension, severity, text) for rule, dimension, severity, text in rows("rule | dimension")}
    assert table == RECORD_RULES


def test_every_option_of_every_type_is_there_with_its_dimension() -> None:
    table = {
        (kind.strip(), names(option)[0]): dimension
        for option, kinds, dimension, _ in rows("option | types")
        for kind in kinds.split(",")
    }
    code = {
        (kind, option): option_dimension(kind, option).value if message else "none"
        for kind, options in OPTIONS.items()
        for option, message in options.items()
    }
    assert table == code


def test_every_format_is_there_with_its_meaning() -> None:
    assert {names(form)[0]: text for form, text in rows("format of string | what has it")} == {
        name: form.means for name, form in FORMATS.items()
    }
    sizes = {name: kind for cell, kind, _ in rows("size | of") for name in names(cell)}
    assert sizes == dict.fromkeys(INTEGERS, "integer") | dict.fromkeys(FLOATS, "number")


def test_every_metric_operator_unit_and_implementation_is_there() -> None:
    assert [names(row[0])[0] for row in rows("metric | arguments")] == list(METRICS)
    assert [names(row[0])[0] for row in rows("operator | the window's figure")] == list(OPERATORS)
    assert [(names(row[0])[0], names(row[1])[0]) for row in rows("implementation | kind")] == [
        (form, name) for name, (form, _) in IMPLEMENTATIONS.items()
    ]
    assert all(f"`{unit}`" in sections()["window"] for unit in UNITS)
    assert f"({MINIMUM} if absent" in TEXT
    assert f"({THRESHOLD:g} if absent" in TEXT


@pytest.mark.parametrize("word", [*Dimension, *Severity, *get_args(LogicalType), *REFUSED, *SERVICE_DATES])
def test_every_other_word_of_a_contract_is_there(word: str) -> None:
    assert f"`{word}`" in TEXT


@pytest.mark.parametrize("word", [*METRICS, *IMPLEMENTATIONS, *get_args(LogicalType), *FORMATS])
def test_the_contracts_page_names_what_a_contract_may_hold(word: str) -> None:
    assert f"`{word}`" in CONTRACTS
