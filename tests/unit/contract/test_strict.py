"""Contracts are read strictly: what is wrong is refused with file, line and cure, never ignored."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stream_app.contract import load_shop
from stream_app.judge import Judge
from tests.support.contracts import THINGS, refusal, refusal_of, write_shop
from tests.support.records import SHOPS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small shop that is right, to put one mistake into."""
    return write_shop(tmp_path)


@pytest.mark.parametrize("name", SHOPS)
def test_both_shipped_shops_load_and_can_judge(name: str) -> None:
    shop = load_shop(SHOPS[name])
    assert set(shop.contracts) == {"orders", "customers", "products", *(["visits"] if name == "built-in" else [])}
    assert list(shop.contracts)[-1] == "orders", "referenced entities come first"
    for contract in shop.contracts.values():
        Judge(contract)


def test_the_small_shop_of_these_tests_is_right(folder: Path) -> None:
    shop = load_shop(folder)
    assert list(shop.contracts) == ["customers", "things"]
    for contract in shop.contracts.values():
        Judge(contract)


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    message = refusal(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in message
    assert "does not exist" in message
    assert "--shop" in message


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert ".odcs.yaml" in refusal(tmp_path)


def test_two_files_for_one_entity_are_refused(folder: Path) -> None:
    (folder / "twice.odcs.yaml").write_text(THINGS, encoding="utf-8")
    message = refusal(folder)
    assert message.startswith(f"{folder / 'twice.odcs.yaml'}:7: ")
    assert "things.odcs.yaml" in message
    assert "remove one" in message


def test_a_file_that_is_not_utf8_is_refused(folder: Path) -> None:
    (folder / "things.odcs.yaml").write_bytes(THINGS.replace("test-things", "caf\xe9").encode("latin-1"))
    message = refusal(folder)
    assert message.startswith(f"{folder / 'things.odcs.yaml'}:3: ")
    assert "UTF-8" in message


def test_a_file_that_is_not_yaml_is_refused(folder: Path) -> None:
    (folder / "things.odcs.yaml").write_text(THINGS.replace("value: [strip]", "value: [strip"), encoding="utf-8")
    message = refusal(folder)
    assert re.match(re.escape(str(folder / "things.odcs.yaml")) + r":3\d: not valid YAML: ", message)


@pytest.mark.parametrize("text", ["", "# nothing\n", "a\x00b", "\x07"])
def test_an_empty_or_binary_file_is_refused(folder: Path, text: str) -> None:
    (folder / "things.odcs.yaml").write_text(text, encoding="utf-8")
    message = refusal(folder)
    assert message.startswith(f"{folder / 'things.odcs.yaml'}:1: ")
    assert "\n" not in message


@pytest.mark.parametrize("text", ["just text", "- a\n- b\n", "1"])
def test_a_document_that_is_no_mapping_is_refused(folder: Path, text: str) -> None:
    (folder / "things.odcs.yaml").write_text(text, encoding="utf-8")
    assert "apiVersion" in refusal(folder)


@pytest.mark.parametrize("value", ["!!int abc", "!!bool x", "!!float x", "!!python/name:os.system", "*nowhere", "&a [*a]"])
def test_a_yaml_value_that_cannot_be_built_is_refused(folder: Path, value: str) -> None:
    (folder / "things.odcs.yaml").write_text(THINGS.replace("status: active", f"status: {value}"), encoding="utf-8")
    assert str(folder / "things.odcs.yaml") in refusal(folder)


def test_anchors_that_make_billions_of_values_are_refused(folder: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (folder / "things.odcs.yaml").write_text("\n".join(lines), encoding="utf-8")
    assert "more than 100,000 values" in refusal(folder)


def test_a_folder_named_like_a_contract_is_refused(folder: Path) -> None:
    (folder / "folder.odcs.yaml").mkdir()
    assert "folder.odcs.yaml" in refusal(folder)


# --- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "meant"),
    [
        ("status: active", "status: active\nvresion: 1", "version"),
        ("        required: true\n        logicalTypeOptions:\n          pattern", "        requird: true\n        logicalTypeOptions:\n          pattern", "required"),  # noqa: E501
        ("            dimension: accuracy\n            severity", "            dimension: accuracy\n            bussinessImpact: x\n            severity", "businessImpact"),  # noqa: E501
        ("          - type: foreignKey\n", "          - type: foreignKey\n            customPropertys: x\n", "customProperties"),  # noqa: E501
        ("    quality:\n      - id: positive", "    qualty: []\n    quality:\n      - id: positive", "quality"),
    ],
)  # fmt: skip
def test_an_unknown_key_is_refused_with_the_one_that_was_meant(folder: Path, old: str, new: str, meant: str) -> None:
    typo = next(line for line in new.splitlines() if line not in old.splitlines()).strip()
    message = refusal_of(folder, old, new, marker=typo)
    assert f"unknown key {typo.partition(':')[0]!r}" in message
    assert f"did you mean {meant!r}?" in message


@pytest.mark.parametrize("text", ["''", "[late]", "3", "{required: late}"])
def test_an_impact_that_is_no_text_is_refused(folder: Path, text: str) -> None:
    old = "        customProperties:\n          - property: clean\n            value: [strip]"
    message = refusal_of(folder, old, f"{old}\n          - property: businessImpact\n            value: {text}")
    assert "businessImpact is not a string" in message


def test_an_unknown_key_that_resembles_nothing_is_refused_too(folder: Path) -> None:
    message = refusal_of(folder, "status: active", "status: active\nqqqqzzzz: 1", marker="qqqqzzzz")
    assert "customProperties" in message


def test_a_key_that_stands_twice_is_refused(folder: Path) -> None:
    message = refusal_of(folder, "          minimum: 1\n", "          minimum: 1\n          minimum: 0\n", "minimum: 0")
    assert "line 20" in message
    assert "remove one" in message


def test_a_key_that_is_no_text_is_refused(folder: Path) -> None:
    message = refusal_of(folder, "status: active", "status: active\nno: 1", marker="no: 1")
    assert "quote it" in message


@pytest.mark.parametrize("version", ["v3.0.2", "3.1.0", "v2.2.2"])
def test_another_version_of_the_standard_is_refused(folder: Path, version: str) -> None:
    assert "v3.1.0" in refusal_of(folder, "apiVersion: v3.1.0", f"apiVersion: {version}")


@pytest.mark.parametrize("kind", ["DataProduct", "contract"])
def test_another_kind_is_refused(folder: Path, kind: str) -> None:
    assert "DataContract" in refusal_of(folder, "kind: DataContract", f"kind: {kind}")


def test_an_unknown_custom_property_of_the_schema_is_refused(folder: Path) -> None:
    message = refusal_of(folder, "property: unknownFields", "property: unknownField")
    assert "'unknownField'" in message
    assert "unknownFields" in message


def test_an_unknown_custom_property_of_a_field_is_refused(folder: Path) -> None:
    message = refusal_of(folder, "property: clean", "property: cleaning")
    assert "clean, spellings" in message


# --- what is not supported --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["time", "object", "array", "decimal"])
def test_an_unsupported_logical_type_is_refused_by_name(folder: Path, kind: str) -> None:
    old = "      - name: note\n        logicalType: string"
    assert kind in refusal_of(folder, old, old.replace("string", kind), marker=f"logicalType: {kind}")


@pytest.mark.parametrize(
    ("old", "new", "option"),
    [
        ("minimum: 1\n", "minLength: 1\n", "minLength"),
        ("maxLength: 20", "maximum: 20", "maximum"),
        ("maxLength: 20", "format: password", "password"),
        ("maxLength: 20", "format: iban", "iban"),
        ('minimum: "2000-01-01T00:00:00Z"', "format: yyyy", "format"),
        ("maxLength: 20", "maxLenght: 20", "maxLenght"),
    ],
)
def test_an_option_that_the_type_does_not_have_is_refused_by_name(folder: Path, old: str, new: str, option: str) -> None:
    message = refusal_of(folder, old, new, marker=new.strip())
    assert option in message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("minimum: 1\n", "minimum: 1.5\n"),
        ("minimum: 1\n", "minimum: .nan\n"),
        ("minimum: 1\n", "minimum: .inf\n"),
        ("minimum: 1\n", "minimum: one\n"),
        ("minimum: 1\n", "multipleOf: 0\n"),
        ("minimum: 1\n", "multipleOf: -2\n"),
        ("maxLength: 20", "maxLength: -1"),
        ("maxLength: 20", "maxLength: many"),
        ("maxLength: 20", "pattern2: x"),
        ('minimum: "2000-01-01T00:00:00Z"', 'minimum: "2000-13-01T00:00:00Z"'),
        ('minimum: "2000-01-01T00:00:00Z"', 'minimum: "2000-01-01T00:00:00"'),
        ('minimum: "2000-01-01T00:00:00Z"', 'minimum: "soon"'),
        ('minimum: "2000-01-01T00:00:00Z"', "minimum: 5"),
        ('minimum: "2000-01-01T00:00:00Z"', "defaultTimezone: Mars/Olympus"),
        ('minimum: "2000-01-01T00:00:00Z"', "defaultTimezone: ../etc/passwd"),
    ],
)
def test_an_option_with_a_value_that_cannot_be_is_refused(folder: Path, old: str, new: str) -> None:
    refusal_of(folder, old, new, marker=new.strip())


def test_bounds_that_no_value_can_keep_are_refused(folder: Path) -> None:
    message = refusal_of(
        folder, "minimum: 1\n", "minimum: 5\n          maximum: 4\n", "logicalTypeOptions:\n          minimum: 5"
    )
    assert "minimum" in message
    assert "maximum" in message


@pytest.mark.parametrize("metric", ["freshness", "row_count"])
def test_an_unsupported_metric_is_refused_by_name(folder: Path, metric: str) -> None:
    assert metric in refusal_of(folder, "metric: invalidValues", f"metric: {metric}")


def test_an_unsupported_engine_is_refused_by_name(folder: Path) -> None:
    assert "'soda'" in refusal_of(folder, "engine: headrace", "engine: soda")


def test_quality_of_type_sql_is_refused(folder: Path) -> None:
    old = "        type: custom\n        engine: headrace\n        implementation:\n          condition: id > 0\n"
    message = refusal_of(folder, old, "        type: sql\n        query: SELECT 1\n        mustBe: 0\n", "type: sql")
    assert "sql" in message


def test_a_metric_without_threshold_is_refused(folder: Path) -> None:
    message = refusal_of(folder, "            mustBe: 0\n", "", marker="id: code_known")
    assert "mustBe" in message


@pytest.mark.parametrize("key", ["id", "dimension"])
def test_a_rule_without_id_or_dimension_is_refused(folder: Path, key: str) -> None:
    line = {"id": "- id: positive\n        type: custom", "dimension": "        dimension: accuracy\n        severity"}[key]
    new = {"id": "- type: custom", "dimension": "        severity"}[key]
    marker = {"id": "- type: custom", "dimension": "- id: positive"}[key]
    assert key in refusal_of(folder, line, new, marker=marker)


def test_an_unknown_severity_is_refused(folder: Path) -> None:
    assert "error, warning, info" in refusal_of(
        folder, "            severity: error", "            severity: fatal", "severity: fatal"
    )


def test_a_rule_id_that_stands_twice_is_refused(folder: Path) -> None:
    assert "'code_known'" in refusal_of(folder, "id: positive", "id: code_known", marker="id: code_known\n        type: custom")


@pytest.mark.parametrize("rule", ["id.minimum", "record.syntax"])
def test_a_rule_id_of_the_judge_itself_is_refused(folder: Path, rule: str) -> None:
    file = folder / "things.odcs.yaml"
    file.write_text(THINGS.replace("id: positive", f"id: {rule}"), encoding="utf-8")
    assert str(file) in refusal(folder)


# --- regular expressions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("[A-Z", id="in no engine"),
        pytest.param("(?=A)B", id="look-ahead: Python only"),
        pytest.param(r"(A)\\1", id="back reference: Python only"),
        pytest.param(r"\\p{L}+", id="Unicode class: Rust only"),
    ],
)
def test_a_pattern_that_not_every_engine_reads_is_refused(folder: Path, pattern: str) -> None:
    message = refusal_of(folder, 'pattern: "^[A-Z]+$"', f'pattern: "{pattern}"')
    assert "regular expression" in message


@pytest.mark.parametrize("pattern", ["[A-Z", "(?=A)B", r"(A)\\1", r"\\p{L}+"])
def test_a_pattern_of_invalid_values_must_satisfy_both_engines_too(folder: Path, pattern: str) -> None:
    message = refusal_of(folder, "validValues: [A, B]", f'pattern: "{pattern}"')
    assert "regular expression" in message
