"""Advice about a finding, by the kind of its rule: one or two sentences for whoever owns the source or the contract."""

from __future__ import annotations

from stream_app.contract.summary import RuleSummary

_BY_CHECK = {
    "record.oversized": "The record is longer than HEADRACE_MAX_RECORD_BYTES. Send smaller records, or raise the setting.",
    "record.encoding": "The bytes are not UTF-8. Make the source encode its text as UTF-8.",
    "record.syntax": "The bytes are not JSON. Open a record to see where the text breaks, and correct the writer.",
    "record.tombstone": "No value. With a key it would delete; here the key is missing, or the contract rejects deletes.",
    "record.deleted": "A tombstone came while the record waited for its reference data. Nothing is to be done.",
    "record.unreadable": "A batch of records is damaged, or of an unknown codec. The dead-letter topic has its bytes.",
    "record.empty": "The record's value is empty. Look for a producer that sends before it has data.",
    "record.duplicateKey": "A key appears twice in the object, so readers may disagree about its value. Correct the writer.",
    "record.unknownField": "The source sends a field that is not in the contract. Add it to the contract, or stop sending it.",
    "required": "The source omits the field or sends null. Make the field mandatory where the record is created.",
    "type": "The value has another type than in the contract. Open a record, compare, and correct the mapping at the source.",
    "format": "The text does not have the format in the contract. Validate it where it is entered.",
    "minimum": "The number is below the contract's limit. Correct the source, or the limit.",
    "exclusiveMinimum": "The number is not above the contract's limit. Check for free or test records at the source.",
    "maximum": "The number is above the contract's limit. Look for shifted decimal points and test records.",
    "exclusiveMaximum": "The number is not below the contract's limit. Look for shifted decimal points and test records.",
    "pattern": "The text does not match the contract's pattern. Validate it where it is entered.",
    "minLength": "The text is too short. Validate it where it is entered.",
    "maxLength": "The text is too long. Check the field's mapping at the source.",
}

_BY_KIND = {
    "record": "The record cannot be read as the contract describes it. Open one to see its bytes, and correct the writer.",
    "structure": "The field does not have the contract's structure. Open a record, compare, and correct the source.",
    "library": "The values break a rule of the contract. Open a record to see which ones, and correct them at the source.",
    "condition": "The fields contradict a rule of the shop. Open a record to see their values, and correct the source.",
    "required": "The field is required in this case. Make it mandatory where the record is created.",
    "reference": "The record refers to one that has not arrived. Send the missing record, then this one again; "
    "if it only arrives late, raise HEADRACE_GRACE.",
    "unique": "Another record already has this key. The usual cause is a producer that sends again after an error with a new "
    "message: let it keep its keys.",
    "contradiction": "Another record has the same key and different content. Find out which of the two is right; two systems "
    "may assign the same numbers.",
    "outlier": "The value is far from what is usual for its group. Check for a shifted decimal point or another unit.",
    "deviation": "The value is far from the one in the reference record. Check the price list and discounts, then the source.",
    "stale": "An older update arrived after a newer one. Check the order in which the source sends, and its clock.",
    "before": "The record is older than the one it refers to. Check the clocks of both sources.",
    "window": "The rule is about a whole period. Look at the incidents, and at what else changed in that hour.",
}

#: Why a rule may have no value at risk although its records have prices.
NO_VALUE = "a rule that doubts quantity or price, finds repeated records or only counts has no known value at risk"


def no_value_at_risk(rule: RuleSummary) -> str:
    """Return why the findings of a rule have no value at risk."""
    return "quantity and price could not be read in its records" if rule.worth else NO_VALUE


def what_to_do(rule_id: str, rule: RuleSummary | None) -> str:
    """Return advice on the findings of a rule; ``rule`` is None if no contract has it any more."""
    if rule is None:
        return "No contract in force has this rule any more. Its findings are counted until their windows expire."
    if rule_id in _BY_CHECK:
        return _BY_CHECK[rule_id]
    if rule.kind == "structure":
        return _BY_CHECK.get(rule_id.rpartition(".")[2], _BY_KIND["structure"])
    return _BY_KIND.get(rule.kind, _BY_KIND["condition"])
