"""``headrace contract``: what it prints of a shop is true of the records that the worker sends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from headrace.cli.main import cli
from stream_app.contract import Dimension, Rule, Severity, WindowRule
from stream_app.contract.export import asyncapi, json_schema, promise
from stream_app.contract.thresholds import threshold_bounds
from stream_app.errors import DocumentError
from stream_app.judge import Judge
from stream_app.names import Topics
from tests.support.contracts import THINGS, write_shop
from tests.support.near import ENTITIES, records
from tests.support.records import AS_OF, GOOD, SHOPS, contract_of, encoded, judge_of, shop


def printed(*arguments: str) -> str:
    done = CliRunner().invoke(cli, ["contract", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("name", SHOPS)
def test_every_rule_stands_in_the_table(name: str) -> None:
    text = printed("--shop", str(SHOPS[name]))
    for entity, contract in shop(name).contracts.items():
        section = text[text.index(f"## {entity}\n") :].split("\n## ")[0]
        rows = [line.split("|")[1].strip(" `") for line in section.splitlines() if line.startswith("| `")]
        assert rows == list(contract.rules)


def test_the_table_says_how_bad_a_broken_promise_is() -> None:
    [line] = [line for line in printed("--entity", "customers").splitlines() if "`email_missing_share`" in line]
    assert "| warning |" in line
    assert "nullValues of an hour: less than 5 %" in line


@pytest.mark.parametrize(
    ("operator", "value", "unit", "words"),
    [
        ("mustBe", 5, "rows", "5 rows"),
        ("mustNotBe", 5, "rows", "not 5 rows"),
        ("mustBeGreaterThan", 5, "percent", "more than 5 %"),
        ("mustBeGreaterOrEqualTo", 2.5, "percent", "2.5 or more %"),
        ("mustBeLessThan", 5, "rows", "less than 5 rows"),
        ("mustBeLessOrEqualTo", 5, "rows", "5 or less rows"),
        ("mustBeBetween", [1, 5], "rows", "from 1 to 5 rows"),
        ("mustNotBeBetween", [1, 5], "percent", "not from 1 to 5 %"),
    ],
)
def test_a_promise_is_put_in_words(operator: str, value: Any, unit: Any, words: str) -> None:
    rule = Rule("r", Dimension.COVERAGE, Severity.INFO, "$", "", "window")
    window = WindowRule(rule, "nullValues", unit, Severity.ERROR, "r", **threshold_bounds(operator, value, unit))
    assert promise(window) == f"nullValues of an hour: {words}"


@pytest.mark.parametrize(("name", "entity"), ENTITIES)
def test_the_schema_is_one_and_takes_a_good_record(name: str, entity: str) -> None:
    schema = json.loads(printed("--shop", str(SHOPS[name]), "--format", "json-schema", "--entity", entity))
    Draft202012Validator.check_schema(schema)
    body = judge_of(name, entity).judge(encoded(GOOD[name, entity]), AS_OF).body
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(json.loads(body or b""))


@pytest.mark.parametrize(("name", "entity"), ENTITIES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_schema_takes_every_record_that_the_judge_lets_through(name: str, entity: str, data: st.DataObject) -> None:
    judge = judge_of(name, entity)
    verdict = judge.judge(data.draw(records(judge.contract, GOOD[name, entity])), AS_OF)
    if verdict.body is not None:
        Draft202012Validator(json_schema(judge.contract)).validate(json.loads(verdict.body))


EVERY_OPTION = """
- name: mail
  logicalType: string
  required: true
  classification: restricted
  logicalTypeOptions: {format: email, maxLength: 40}
- {name: code, logicalType: string, logicalTypeOptions: {format: country}}
- {name: data, logicalType: string, logicalTypeOptions: {format: byte}}
- {name: small, logicalType: integer, logicalTypeOptions: {format: u8, minimum: 5}}
- {name: size, logicalType: number, logicalTypeOptions: {format: f32, exclusiveMinimum: 0}}
- {name: born, logicalType: date, description: The day., logicalTypeOptions: {minimum: '1900-01-01'}}
- {name: flag, logicalType: boolean}
- name: kind
  logicalType: string
  quality:
    - {id: known, metric: invalidValues, arguments: {validValues: [a, b]}, mustBe: 0, dimension: conformity}
"""
RIGHT = {
    "mail": "a@b.org",
    "code": "GB",
    "data": "YQ==",
    "small": 5,
    "size": 0.5,
    "born": "2000-01-01",
    "flag": True,
    "kind": "a",
}


@pytest.mark.parametrize(
    "changes",
    [
        {"mail": None}, {"mail": 5}, {"mail": "a" * 40 + "@b.org"}, {"code": "XX"}, {"small": 4}, {"small": 256},
        {"small": 5.5}, {"size": 0}, {"size": 1e39}, {"flag": "maybe"}, {"kind": "c"}, {"more": 1}, {"born": ...},
    ],
)  # fmt: skip
def test_the_schema_refuses_what_the_judge_refuses(tmp_path: Path, changes: dict[str, Any]) -> None:
    contract = contract_of(tmp_path, EVERY_OPTION, "customProperties: [{property: unknownFields, value: error}]")
    schema = Draft202012Validator(json_schema(contract))
    assert schema.is_valid(RIGHT)
    assert schema.is_valid(dict.fromkeys(RIGHT) | {"mail": "a@b.org"})
    record = {name: value for name, value in (RIGHT | changes).items() if value is not ...}
    assert not schema.is_valid(record)
    if changes != {"born": ...}:  # an optional field may be absent before cleaning, and is null after it
        assert Judge(contract).judge(encoded(record), AS_OF).rejected


def test_the_schema_says_what_it_cannot_hold_records_to(tmp_path: Path) -> None:
    properties = json_schema(contract_of(tmp_path, EVERY_OPTION))["properties"]
    assert properties["born"] == {"type": ["string", "null"], "format": "date", "description": "The day. (minimum 1900-01-01)"}
    assert properties["mail"]["x-classification"] == "restricted"
    assert properties["data"]["contentEncoding"] == "base64"


@pytest.mark.parametrize("name", SHOPS)
def test_asyncapi_names_the_topics_and_every_reference_leads_somewhere(name: str) -> None:
    document = asyncapi(shop(name), "eu-")
    assert document["asyncapi"] == "3.0.0"
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {
        topic for entity in shop(name).contracts for topic in (Topics(entity, "eu-").clean, Topics(entity, "eu-").dead_letter)
    }
    found = 0

    def follow(node: Any) -> None:
        nonlocal found
        for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
            if key == "$ref":
                found += 1
                target = document
                for part in value.removeprefix("#/").split("/"):
                    target = target[part]
            else:
                follow(value)

    follow(document)
    assert found == 5 * len(shop(name).contracts)
    assert {operation["action"] for operation in document["operations"].values()} == {"send"}
    assert json.loads(printed("--shop", str(SHOPS[name]), "--format", "asyncapi")) == asyncapi(shop(name))


def test_an_entity_that_is_not_there_is_refused() -> None:
    with pytest.raises(DocumentError, match="unknown entity 'things'; entities: customers"):
        printed("--entity", "things")


def test_asyncapi_of_one_entity_is_refused() -> None:
    done = CliRunner().invoke(cli, ["contract", "--format", "asyncapi", "--entity", "orders"])
    assert done.exit_code == 2
    assert "leave --entity out" in done.output


def test_a_contract_with_a_mistake_is_refused_with_its_line(tmp_path: Path) -> None:
    write_shop(tmp_path, THINGS.replace("maxLength: 20", "maxLenght: 20"))
    with pytest.raises(DocumentError, match=r"things\.odcs\.yaml:\d+: unknown key 'maxLenght'; did you mean 'maxLength'"):
        printed("--shop", str(tmp_path))
