"""Custom rules and what each of their arguments must be: compiled as written, or refused with file, line and cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_app.contract import Severity, load_shop
from stream_app.contract.model import Contract
from tests.support.contracts import THINGS, refusal, refusal_of, write_shop
from tests.support.records import contract_of

CONDITION = "          condition: id > 0\n"
NUMBERED = THINGS.replace(
    "      - name: note\n        logicalType: string\n",
    "      - name: note\n        logicalType: string\n"
    "      - name: amount\n        logicalType: number\n"
    "      - name: secret\n        logicalType: string\n        classification: restricted\n",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The small shop, with a customer's credit, name and birth to compare with."""
    write_shop(tmp_path, NUMBERED)
    customers = tmp_path / "customers.odcs.yaml"
    more = (
        "      - name: credit\n        logicalType: number\n"
        "      - name: street\n        logicalType: string\n        classification: restricted\n"
    )
    customers.write_text(customers.read_text("utf-8") + more, encoding="utf-8")
    return tmp_path


def compiled(folder: Path, implementation: str) -> Contract:
    """``things`` with another implementation of its custom rule."""
    text = NUMBERED.replace(CONDITION, f"          {implementation}\n")
    (folder / "things.odcs.yaml").write_text(text, encoding="utf-8")
    return load_shop(folder).contracts["things"]


def refused(folder: Path, implementation: str, marker: str | None = None) -> str:
    return refusal_of(folder, CONDITION, f"          {implementation}\n", marker or implementation, NUMBERED)


# --- what is compiled -------------------------------------------------------------------------------------------------


def test_a_conditional_requirement_is_compiled(folder: Path) -> None:
    [rule] = compiled(folder, "required: [note]\n          when: code == 'A'").required
    assert (rule.rule.id, rule.rule.kind, rule.rule.path, rule.rule.field) == ("positive", "required", "$.note", "note")
    assert (rule.fields, rule.when.expression, rule.when.fields, rule.when.uses_as_of) == (
        ("note",), "code == 'A'", ("code",), False,
    )  # fmt: skip


def test_a_requirement_of_several_fields_points_at_the_record(folder: Path) -> None:
    [rule] = compiled(folder, "required: [note, amount]\n          when: at < as_of").required
    assert (rule.fields, rule.rule.path, rule.rule.field, rule.when.uses_as_of) == (("note", "amount"), "$", None, True)


def test_an_outlier_rule_is_compiled(folder: Path) -> None:
    [rule] = compiled(folder, "outlier: {field: amount, by: [id, id.name], threshold: 6.5, minimum: 30}").outliers
    assert (rule.field, rule.levels, rule.threshold, rule.minimum) == ("amount", ("id", "id.name"), 6.5, 30)
    assert (rule.rule.kind, rule.rule.path) == ("outlier", "$.amount")


@pytest.mark.parametrize(
    ("by", "levels"), [("", ()), (", by: []", ()), (", by: [code]", ("code",)), (", by: [id.name]", ("id.name",))]
)
def test_an_outlier_rule_without_more_is_over_the_whole_entity(folder: Path, by: str, levels: tuple[str, ...]) -> None:
    [rule] = compiled(folder, f"outlier: {{field: amount{by}}}").outliers
    assert (rule.levels, rule.threshold, rule.minimum) == (levels, 8.0, 50)


def test_a_deviation_is_compiled(folder: Path) -> None:
    [rule] = compiled(folder, "deviation: {field: amount, from: id.credit, tolerance: 0.5}").deviations
    assert (rule.field, rule.reference, rule.value, rule.tolerance) == ("amount", "id", "credit", 0.5)
    assert (rule.rule.kind, rule.rule.path) == ("deviation", "$.amount")


@pytest.mark.parametrize(
    ("tolerance", "milliseconds"),
    [("24h", 86_400_000), ("7d", 604_800_000), ("90m", 5_400_000), ("30s", 30_000), ("0s", 0), (None, 0)],
)
def test_a_before_rule_is_compiled(folder: Path, tolerance: str | None, milliseconds: int) -> None:
    more = "" if tolerance is None else f", tolerance: {tolerance}"
    [rule] = compiled(folder, f"before: {{field: at, reference: id{more}}}").before
    assert (rule.field, rule.reference, rule.tolerance_ms) == ("at", "id", milliseconds)
    assert (rule.rule.kind, rule.rule.path) == ("before", "$.at")


@pytest.mark.parametrize("implementation", ["stale: {}", "stale:"])
def test_a_stale_rule_is_compiled(folder: Path, implementation: str) -> None:
    contract = compiled(folder, implementation)
    assert contract.stale is not None
    assert (contract.stale.key, contract.stale.rule.kind, contract.stale.rule.path) == ("id", "stale", "$.id")
    assert contract.rules["positive"] is contract.stale.rule


def test_a_rule_at_a_property_is_about_that_property(tmp_path: Path) -> None:
    properties = (
        "- name: amount\n  logicalType: number\n  quality:\n"
        "    - {id: far, type: custom, engine: headrace, dimension: accuracy, severity: info, implementation: {outlier: {}}}\n"
    )
    [rule] = contract_of(tmp_path, properties).outliers
    assert (rule.field, rule.rule.path, rule.rule.severity) == ("amount", "$.amount", Severity.INFO)


def test_a_primary_key_tells_a_repetition_from_a_contradiction(tmp_path: Path) -> None:
    contract = contract_of(tmp_path, "- {name: a, logicalType: integer, primaryKey: true}\n- {name: b, logicalType: integer}")
    [unique] = contract.uniques
    assert unique.contradiction is contract.rules["a.contradiction"]
    assert (unique.contradiction.kind, unique.contradiction.severity) == ("contradiction", Severity.ERROR)
    assert unique.rule is contract.rules["a.unique"]


def test_a_relationship_may_stand_at_the_schema(folder: Path) -> None:
    at_property = "        relationships:\n          - type: foreignKey\n            to: customers.customer_id\n"
    at_schema = "    relationships:\n      - {from: things.id, to: customers.customer_id}\n"
    text = NUMBERED.replace(at_property, "").replace(
        "    quality:\n      - id: positive", f"{at_schema}    quality:\n      - id: positive"
    )
    (folder / "things.odcs.yaml").write_text(text, encoding="utf-8")
    [reference] = load_shop(folder).contracts["things"].references
    assert (reference.rule.id, reference.field, reference.to_entity) == ("id.reference", "id", "customers")


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("implementation", "says"),
    [
        ("outleir: {field: amount}", "did you mean 'outlier'?"),
        ("freshness: 1h", "condition: <CEL>"),
        ("required: [note]", "no `when`"),
        ("required: note\n          when: id > 0", "write [field, …]"),
        ("required: []\n          when: id > 0", "write [field, …]"),
        ("required: [remark]\n          when: id > 0", "no field 'remark'"),
        ("required: [code]\n          when: id > 0", "already required in every record"),
        ("required: [note, note]\n          when: id > 0", "twice"),
        ("outlier: amount", "not a mapping"),
        ("outlier: {by: [id]}", "no `field`"),
        ("outlier: {field: note}", "note is a string"),
        ("outlier: {field: total}", "no field 'total'"),
        ("outlier: {field: amount, bye: [id]}", "did you mean 'by'?"),
        ("outlier: {field: amount, by: id}", "list of levels"),
        ("outlier: {field: amount, by: [5]}", "list of levels"),
        ("outlier: {field: amount, by: [shop]}", "no field 'shop'"),
        ("outlier: {field: amount, by: [at]}", "at is a timestamp"),
        ("outlier: {field: id, by: [id]}", "makes no group"),
        ("outlier: {field: amount, by: [secret]}", "personal data"),
        ("outlier: {field: amount, by: [id, id]}", "twice"),
        ("outlier: {field: amount, by: [id, code]}", "does not depend"),
        ("outlier: {field: amount, by: [code, id.name]}", "does not depend"),
        ("outlier: {field: amount, by: [id, id.name, id.name]}", "twice"),
        ("outlier: {field: amount, by: [id.]}", "reference.field"),
        ("outlier: {field: amount, by: [code.name]}", "does not refer to another entity"),
        ("outlier: {field: amount, threshold: 0.9}", "a number from 1"),
        ("outlier: {field: amount, threshold: many}", "a number from 1"),
        ("outlier: {field: amount, threshold: .nan}", "a number from 1"),
        ("outlier: {field: amount, minimum: 9}", "a number from 10"),
        ("outlier: {field: amount, minimum: 10.5}", "whole number"),
        ("deviation: {field: amount, from: id.credit}", "no `tolerance`"),
        ("deviation: {field: amount, from: id.credit, tolerance: 0}", "a number above 0"),
        ("deviation: {field: amount, from: id.credit, tolerance: true}", "a number above 0"),
        ("deviation: {field: amount, tolerance: 1}", "reference.field"),
        ("deviation: {field: amount, from: id, tolerance: 1}", "reference.field"),
        ("deviation: {field: amount, from: code.credit, tolerance: 1}", "does not refer to another entity"),
        ("deviation: {field: code, from: id.credit, tolerance: 1}", "code is a string"),
        ("stale: {by: id}", "unknown argument 'by'"),
        ("stale: true", "not a mapping"),
        ("before: {reference: id}", "no `field`"),
        ("before: {field: at}", "no `reference`"),
        ("before: {field: id, reference: id}", "id is an integer"),
        ("before: {field: at, reference: code}", "does not refer to another entity"),
        ("before: {field: at, reference: id, tolerance: 24}", "24h"),
        ("before: {field: at, reference: id, tolerance: a day}", "24h"),
        ("before: {field: at, reference: id, tolerance: -1h}", "24h"),
    ],
)  # fmt: skip
def test_an_implementation_that_is_none_is_refused(folder: Path, implementation: str, says: str) -> None:
    assert says in refused(folder, implementation)


def test_when_must_be_a_condition(folder: Path) -> None:
    assert "no matching overload" in refused(folder, "required: [note]\n          when: id > 0.5", "when: id > 0.5")
    assert "reads no field" in refused(folder, "required: [note]\n          when: 'true'", "when: 'true'")
    assert "quote it" in refused(folder, "required: [note]\n          when: true", "when: true")


@pytest.mark.parametrize("second", ["when: id > 0", "stale: {}"])
def test_two_implementations_in_one_rule_are_refused(folder: Path, second: str) -> None:
    assert "beside 'condition'" in refused(folder, f"condition: id > 0\n          {second}", second)


@pytest.mark.parametrize("implementation", ["condition: id > 0", "1"])
def test_an_implementation_that_is_a_text_is_refused(folder: Path, implementation: str) -> None:
    old = "        implementation:\n" + CONDITION
    message = refusal_of(folder, old, f'        implementation: "{implementation}"\n', text=NUMBERED)
    assert "write `condition: <CEL>`" in message


@pytest.mark.parametrize(
    ("implementation", "says"),
    [
        ("deviation: {field: amount, from: id.debt, tolerance: 1}", "customers has no field 'debt'"),
        ("deviation: {field: amount, from: id.name, tolerance: 1}", "customers.name is a string"),
        ("outlier: {field: amount, by: [id, id.city]}", "customers has no field 'city'"),
        ("outlier: {field: amount, by: [id, id.credit]}", "customers.credit is a number"),
        ("outlier: {field: amount, by: [id.street]}", "personal data"),
    ],
)
def test_a_field_of_the_record_referred_to_must_be_there_and_fit(folder: Path, implementation: str, says: str) -> None:
    assert says in refused(folder, implementation, "implementation:\n          " + implementation)


@pytest.mark.parametrize(("key", "says"), [("primaryKey", "must be unique"), ("unique", "must be unique"), (None, "recordKey")])
def test_stale_needs_a_key_that_occurs_again(folder: Path, key: str | None, says: str) -> None:
    if key is None:
        text = NUMBERED.replace("      - property: recordKey\n        value: id\n", "")
    else:
        text = NUMBERED.replace(
            "        required: true\n        logicalTypeOptions:\n          minimum",
            f"        {key}: true\n        required: true\n        logicalTypeOptions:\n          minimum",
        )
    assert says in refusal_of(folder, CONDITION, "          stale: {}\n", "stale: {}", text)


def test_stale_on_records_with_another_identity_is_refused(folder: Path) -> None:
    text = NUMBERED.replace(
        "      - name: code\n        logicalType: string\n",
        "      - name: code\n        primaryKey: true\n        logicalType: string\n",
    )
    assert "identified by code" in refusal_of(folder, CONDITION, "          stale: {}\n", "stale: {}", text)


def test_two_stale_rules_are_refused(folder: Path) -> None:
    second = "          stale: {}\n        dimension: timeliness\n      - id: again\n        type: custom\n        engine: headrace\n        implementation:\n          stale: {}\n"  # noqa: E501
    assert "'positive' is a stale rule already" in refusal_of(folder, CONDITION, second, "- id: again", NUMBERED)


def test_relationships_of_several_fields_are_refused_by_name(folder: Path) -> None:
    line = "    relationships:\n      - {from: [things.id, things.code], to: [customers.customer_id, customers.name]}\n"
    old = "    quality:\n      - id: positive"
    assert "several fields" in refusal_of(folder, old, line + old, "{from:", NUMBERED)


@pytest.mark.parametrize(("source", "says"), [("customers.name", "things.field"), ("things.size", "no field 'size'")])
def test_a_relationship_from_elsewhere_is_refused(folder: Path, source: str, says: str) -> None:
    line = f"    relationships:\n      - from: {source}\n        to: customers.customer_id\n"
    old = "    quality:\n      - id: positive"
    assert says in refusal_of(folder, old, line + old, "from: ", NUMBERED)


@pytest.mark.parametrize(
    ("segment", "says"),
    [
        ("code.name", "does not refer to an entity"),
        ("id.city", "customers has no field 'city'"),
        ("id.", "has no field ''"),
        ("id.credit", "customers.credit is a number"),
        ("id.street", "personal data"),
        ("shop.name", "no field 'shop'"),
    ],
)
def test_a_segment_by_the_record_referred_to_must_be_there_and_fit(folder: Path, segment: str, says: str) -> None:
    old = "property: unknownFields\n        value: warning"
    new = f"property: segments\n        value: ['{segment}']"
    assert says in refusal_of(folder, old, new, "customProperties:", NUMBERED)


def test_a_segment_may_be_a_field_of_the_record_referred_to(folder: Path) -> None:
    text = NUMBERED.replace(
        "property: unknownFields\n        value: warning", "property: segments\n        value: [code, id.name]"
    )
    (folder / "things.odcs.yaml").write_text(text, encoding="utf-8")
    assert load_shop(folder).contracts["things"].segments == ("code", "id.name")


# --- what nobody would check ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["latency", "frequency", "retention", "availability"])
def test_a_service_level_that_is_not_checked_is_refused_by_name(folder: Path, level: str) -> None:
    new = f"status: active\nslaProperties:\n  - property: {level}\n    value: 4\n    unit: h"
    message = refusal_of(folder, "status: active", new, f"property: {level}", NUMBERED)
    assert f"does not check the service level {level!r}" in message
    assert "rowCount" in message


@pytest.mark.parametrize("level", ["generalAvailability", "endOfSupport", "endOfLife"])
def test_the_dates_of_a_contract_itself_are_for_people(folder: Path, level: str) -> None:
    text = NUMBERED.replace("status: active", f"status: active\nslaProperties:\n  - {{property: {level}, value: '2030-01-01'}}")
    (folder / "things.odcs.yaml").write_text(text, encoding="utf-8")
    assert set(load_shop(folder).contracts["things"].rules) == set(compiled(folder, "condition: id > 0").rules)


NOBODY = "customProperties:\n{0}  - property: recordKey\n{0}    value: id"
ENGINE = "        engine: headrace"
TO = "            to: customers.customer_id"


@pytest.mark.parametrize(
    ("old", "new", "marker"),
    [
        ("status: active", "status: active\n" + NOBODY.format(""), "- property: recordKey\n    value"),
        (TO, f"{TO}\n            {NOBODY.format(' ' * 12)}", "- property: recordKey\n                value"),
        (ENGINE, f"{ENGINE}\n        {NOBODY.format(' ' * 8)}", "- property: recordKey\n            "),
        ("      - name: note", "      - name: note\n        physicalName: remark", "physicalName"),
        (ENGINE, f"{ENGINE}\n        unit: percent", "unit: percent"),
    ],
)  # fmt: skip
def test_a_key_that_would_do_nothing_is_refused(folder: Path, old: str, new: str, marker: str) -> None:
    assert "; " in refusal_of(folder, old, new, marker, NUMBERED)


def test_two_rules_of_one_name_are_refused_whatever_their_kind(folder: Path) -> None:
    text = NUMBERED.replace("- id: positive", "- id: code_known").replace(CONDITION, "          stale: {}\n")
    (folder / "things.odcs.yaml").write_text(text, encoding="utf-8")
    assert "'code_known' appears twice" in refusal(folder)
