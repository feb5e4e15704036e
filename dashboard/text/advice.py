"""What to do about a finding, by the kind of its rule: one or two sentences for the person at the source or the contract."""

from __future__ import annotations

from stream_app.contract.summary import RuleSummary

_BY_CHECK = {
    "record.oversized": "The record is longer than HEADRACE_MAX_RECORD_BYTES. Send less in one record, or raise the setting.",
    "record.encoding": "The bytes are no UTF-8. Let the source encode its text as UTF-8 before it sends.",
    "record.syntax": "The bytes are no JSON object. Open a record to see where the text breaks, and correct the writer.",
    "record.tombstone": "The record has a key and no value. If it means a deletion, keep it out of this topic.",
    "record.empty": "The record's value is empty. Look for a producer that sends before it has anything to say.",
    "record.duplicateKey": "One key stands twice in the object, so that readers may differ. Correct the writer.",
    "record.unknownField": "The source sends a field that the contract does not know. Add it there, or stop sending it.",
    "required": "The source leaves the field out or sends null. Make it mandatory where the record is made.",
    "type": "The value has another type than the contract says. Open a record, compare, and correct the mapping at the source.",
    "format": "The text does not have the form that the contract asks for. Check it where it is typed in.",
    "minimum": "The number is below what the contract allows. Either the source is wrong, or the limit is.",
    "exclusiveMinimum": "The number is not above what the contract asks for. Check for free or test records at the source.",
    "maximum": "The number is above what the contract allows. Look for shifted decimal points and test records.",
    "exclusiveMaximum": "The number is above what the contract allows. Look for shifted decimal points and test records.",
    "pattern": "The text does not match the contract's pattern. Check it where it is typed in.",
    "minLength": "The text is too short. Check it where it is typed in.",
    "maxLength": "The text is too long. Check the field's mapping at the source.",
}

_BY_KIND = {
    "record": "The record cannot be read as the contract says. Open one to see its bytes, and correct the writer.",
    "structure": "The field does not hold what the contract says. Open a record, compare, and correct the source.",
    "library": "The values break a promise of the contract. Open a record to see which, and correct them at the source.",
    "condition": "The fields contradict a rule of the shop. Open a record to see which values meet, and correct the source.",
    "required": "In this case the field has to be there. Make it mandatory where the record is made.",
    "reference": "The record names something that has not arrived. Send the missing record, and then this one again; "
    "if it only comes late, raise HEADRACE_GRACE.",
    "unique": "The key was there before. A producer that sends again after an error is the usual cause: let it keep its keys.",
    "contradiction": "The same key came with other content. Find out which of the two is right; two systems may number alike.",
    "outlier": "The value is far from what is usual for its like. Check for a shifted decimal point or another unit.",
    "deviation": "The value is far from the one in the list. Check the price list and discounts, then the source.",
    "stale": "An older update came after a newer one. Check the order in which the source sends, and its clock.",
    "before": "The record is older than what it refers to. Check the clocks of both sources.",
    "window": "The promise is about a whole period. Look at the incidents and at what else changed in that hour.",
}


def what_to_do(rule_id: str, rule: RuleSummary | None) -> str:
    """One or two sentences; for a rule that is in no contract any more, that."""
    if rule is None:
        return "No contract in force has this rule any more. Its findings stay counted until their windows are gone."
    if rule_id in _BY_CHECK:
        return _BY_CHECK[rule_id]
    if rule.kind == "structure":
        return _BY_CHECK.get(rule_id.rpartition(".")[2], _BY_KIND["structure"])
    return _BY_KIND.get(rule.kind, _BY_KIND["condition"])
