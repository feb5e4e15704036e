"""Names in a report: those of the contract, and values of segments that it lists. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from reporter.texts import Texts
from stream_app.contract.segments import NONE, OTHER, in_words, name_of
from stream_app.contract.summary import ContractSummary, RuleSummary
from stream_app.monitor.headline import ORIGINS

#: Maximum length of a contract's text.
LONGEST_TEXT = 200
_NOT_ID = re.compile(r"[^A-Za-z0-9_.]+")


def part_of_id(name: str) -> str:
    """Return a contract's name as part of a fact's id: letters, digits, underscore and dot."""
    return _NOT_ID.sub("_", name).strip(".") or "_"


def rule_prefix(entity: str, rule: str) -> str:
    """Return the prefix of the facts about a rule."""
    return f"rule.{part_of_id(entity)}.{part_of_id(rule)}"


def entity_name(entity: str, texts: Texts) -> str:
    """Return the noun of an entity in the report's language; its own name if the texts have none."""
    return texts("entities", entity) if texts.has("entities", entity) else entity


def records_of(contracts: Mapping[str, ContractSummary], entity: str, field: str, value: str, texts: Texts) -> str:
    """Return the records of an entity that have a segment value: ``orders from United Kingdom``."""
    noun = entity_name(entity, texts)
    if value in {OTHER, NONE}:
        return texts("of_segment", "group", entity=noun, segment=segment_name(contracts, entity, field, value, texts))
    # ``customer_id.country``: of the record that the order refers to.
    last = field.rpartition(".")[2]
    name = name_of(field, value, listed=is_listed(contracts, entity, field, value))
    if last in ORIGINS:
        return texts("of_segment", "origin", entity=noun, value=in_words(field, name))
    return texts("of_segment", "other", entity=noun, field=last, value=name)


def segment_name(contracts: Mapping[str, ContractSummary], entity: str, field: str, value: str, texts: Texts) -> str:
    """Return the name of the segment ``field`` = ``value``: with the number of a value that no contract lists."""
    if value == OTHER:
        return texts("other_segment", field=field)
    if value == NONE:
        return texts("none_segment", field=field)
    return texts("segment", field=field, value=name_of(field, value, listed=is_listed(contracts, entity, field, value)))


def is_listed(contracts: Mapping[str, ContractSummary], entity: str, field: str, value: str) -> bool:
    """True if a contract lists this value, so that it may be shown, sent and kept.

    ``field`` may be a field of a referenced record, ``customer_id.country``, which that record's contract may list.
    """
    contract = contracts.get(entity)
    if contract is None:
        return False
    if value in contract.listed.get(field, ()):
        return True
    _, _, there = field.partition(".")
    return any(there and value in contracts[one].listed.get(there, ()) for one in contract.references if one in contracts)


def meaning(rule_id: str, rule: RuleSummary, texts: Texts) -> str | None:
    """Return the meaning of a rule's findings as part of a sentence; None without a message.

    A rule that the contract defines (an id without a dot) is described by its expectation, any other by what is wrong.
    """
    if not rule.message:
        return None
    if "." not in rule_id:
        return texts("expected", text=sentence(rule.message))
    field, _, what = rule_id.rpartition(".")
    return texts("says", what, field=field) if texts.has("says", what) else sentence(rule.message)


def sentence(text: str) -> str:
    """Return a contract's text as part of a sentence: on one line, shortened, without its final full stop."""
    plain = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    if len(plain) > LONGEST_TEXT:
        plain = plain[: LONGEST_TEXT - 1].rstrip() + "…"
    return plain.rstrip(".")


def incident_name(entity: str, contract: ContractSummary | None, metric: str, texts: Texts) -> str:
    """Return what an incident is about, without the name of a rule or field that is not in the contract."""
    kind, _, rest = metric.partition(":")
    # A segment may be a field of a referenced record: `customer_id.country`.
    fields = {*(field.name for field in contract.fields), *contract.segments} if contract else set()
    rules = set(contract.rules) if contract else set()
    if kind in {"finding", "threshold"} and rest in rules:
        return texts("metrics", kind, name=rest, entity=entity)
    if kind == "lost":
        return texts("metrics", kind, entity=entity)
    if kind in {"null", "mix"} and rest in fields:
        return texts("metrics", kind, name=rest, entity=entity)
    if kind == "drift" and rest and contract:
        field, _, how = rest.rpartition(":")
        table = "drift" if field in fields else "unknown_field"
        return texts("metrics", table, how if texts.has("metrics", table, how) else "other", name=field, entity=entity)
    if not rest and texts.has("metrics", kind) and kind in {"volume", "revenue", "average_order", "conformity"}:
        return texts("metrics", kind, entity=entity)
    return texts("metrics", "other", entity=entity)
