"""Conditions over fields whose names CEL has for its own words."""

from __future__ import annotations

from pathlib import Path

import pytest

from producers.sources.expression import Expression
from stream_app.errors import DocumentError
from stream_app.judge import Judge
from tests.support.records import AS_OF, broken, contract_of, encoded

RESERVED = [
    "type", "int", "uint", "string", "bool", "bytes", "double", "dyn", "list", "map", "null_type", "timestamp", "duration",
    "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package", "namespace",
    "return", "var", "void", "while", "has", "size", "class", "None", "not", "lambda",
]  # fmt: skip


def judge(folder: Path, condition: str, *fields: str) -> Judge:
    properties = "\n".join(f"- {{name: {field}}}" for field in fields)
    rule = f"""
quality:
  - id: rule
    type: custom
    engine: headrace
    implementation:
      condition: {condition}
    dimension: accuracy
    severity: error
"""
    return Judge(contract_of(folder, properties, rule))


@pytest.mark.parametrize("required", ["true", "false"])
@pytest.mark.parametrize("name", RESERVED)
def test_a_field_may_have_the_name_of_a_word_of_cel(tmp_path: Path, name: str, required: str) -> None:
    field = f'"{name}", logicalType: string, required: {required}'
    one = judge(tmp_path, f"'{name} != \"{name}\"'", field)
    assert broken(one.judge(encoded({name: "good"}), AS_OF)) == []
    assert broken(one.judge(encoded({name: name}), AS_OF)) == ["rule"]


def test_a_name_is_the_field_where_it_stands_alone_and_cels_word_elsewhere(tmp_path: Path) -> None:
    fields = ('"int", logicalType: string', '"_nt", logicalType: integer', '"size", logicalType: integer')
    one = judge(tmp_path, '\'int(int) == _nt && int.size() == size && size(int) == size && int in ["12", "int"]\'', *fields)
    assert broken(one.judge(encoded({"int": "12", "_nt": 12, "size": 2}), AS_OF)) == []
    assert broken(one.judge(encoded({"int": "12", "_nt": 13, "size": 2}), AS_OF)) == ["rule"]


def test_moments_may_have_such_names(tmp_path: Path) -> None:
    one = judge(tmp_path, "'type < as_of && var < as_of'", '"type", logicalType: date', '"var", logicalType: timestamp')
    assert broken(one.judge(encoded({"type": "2024-01-01", "var": None}), AS_OF)) == []
    assert broken(one.judge(encoded({"type": "2025-01-01", "var": None}), AS_OF)) == ["rule"]


@pytest.mark.parametrize("name", ["in", "true", "false", "null"])
def test_a_field_that_no_condition_can_read_is_refused_with_a_cure(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        DocumentError, match=rf"things.odcs.yaml:\d+: .*; correct it, or rename the field '{name}': CEL reads that"
    ):
        judge(tmp_path, f"'{name} > 3'", f'"{name}", logicalType: integer')


def test_a_field_of_such_a_name_does_not_hinder_the_word(tmp_path: Path) -> None:
    fields = ('"in", logicalType: string', '"null", logicalType: string', '"s", logicalType: string')
    one = judge(tmp_path, "'s in [\"a\"] && s != null'", *fields)
    assert broken(one.judge(encoded({"in": "a", "null": None, "s": "a"}), AS_OF)) == []
    assert broken(one.judge(encoded({"in": "a", "null": "a", "s": "b"}), AS_OF)) == ["rule"]


def test_a_message_names_the_field_and_its_column(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"column 1:6: found no matching overload") as caught:
        judge(tmp_path, "'type > 3'", '"type", logicalType: string, required: true')
    assert "_ype" not in str(caught.value)


@pytest.mark.parametrize("name", ["type", "int", "map", "if"])
def test_a_column_of_a_source_may_have_such_a_name(name: str) -> None:
    one = Expression(f'{name} + "{name}"', [name, "other"], typed=False)
    assert one.evaluate(("a",)) == f"a{name}"
