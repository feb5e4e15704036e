"""The sentence of an incident and its advice, by key, with the facts that they refer to."""

from __future__ import annotations

from typing import Literal

from reporter import names
from reporter.context import Context
from stream_app.contract.summary import ContractSummary
from stream_app.monitor.causes import Cause
from stream_app.monitor.incident import Incident

#: From this ratio on, a rise is a factor and not a percentage.
_FACTOR = 2.0
#: Ends the ids of the rules that find repeats of a record.
REPEATS = ".unique"
Ratio = Literal["below", "times", "above"]


def say(context: Context, prefix: str, one: Incident, name: str) -> str:
    """Add the facts of the sentence of an incident, and return its key among the texts ``what``."""
    kind, _, rest = one.metric.partition(":")
    words = {"incident": name}
    writer, texts = context.writer, context.texts
    contract = context.contracts.get(one.entity)
    writer.add(f"{prefix}.entity", names.entity_name(one.entity if contract else "–", texts), "name", "entity.name")
    writer.add(f"{prefix}.of", _records(context, one), "name", "incident.of", words=words)
    if contract is None:
        return "other"
    match kind:
        case "volume":
            ratio = one.segment[2] if one.segment is not None else _ratio(one)
            if ratio is None:
                return "other"
            if ratio <= 0:
                return "none"
            return f"volume_{_compare(context, prefix, ratio, words)}"
        case "mix":
            if one.segment is None:
                return "mix"
            # The shares themselves are facts of every segment.
            return "none" if one.segment[2] <= 0 else "mix_share"
        case "revenue" | "average_order":
            money = _ratio(one)
            return "other" if money is None else f"{kind}_{_compare(context, prefix, max(0.0, money), words)}"
        case "lost":
            return "lost"
    if kind == "threshold" and rest in contract.rules:
        writer.add(f"{prefix}.rule", rest, "name", "rule.name", words={"rule": rest})
        return "threshold"
    return _share(context, prefix, one, contract, words)


def advice(context: Context, cause: Cause, *, doubtful: bool) -> str:
    """Return the key of what to do about a cause, among the texts ``actions``."""
    lead = cause.lead
    kind, _, rest = lead.metric.partition(":")
    rules = {one.metric.partition(":")[2] for one in cause.all if one.metric.startswith("finding:")}
    if any(rule.endswith(REPEATS) for rule in rules) and kind in {"conformity", "finding"}:
        return "repeats"
    if doubtful:
        return "doubtful"
    if kind == "volume" or (kind == "mix" and lead.segment is not None):
        below = lead.direction == "low" or (kind == "mix" and lead.segment is not None and lead.segment[2] < lead.segment[3])
        return "missing" if below else "more"
    if kind in {"revenue", "average_order"}:
        return "money"
    if kind == "drift" and rest.endswith(":appeared"):
        return "appeared"
    if kind in {"conformity", "finding", "drift", "null"}:
        contract = context.contracts.get(lead.entity)
        rule = contract.rules.get(rest) if contract is not None else None
        marks = (rule is not None and rule.severity != "error") or kind == "null" or rest.endswith(":text")
        return "marked" if marks else "rejected"
    return "lost" if kind == "lost" else "other"


def _share(context: Context, prefix: str, one: Incident, contract: ContractSummary, words: dict[str, str]) -> str:
    """The sentence about a share of the records; where one segment value stands out, about the share of its records."""
    kind, _, rest = one.metric.partition(":")
    field, _, how = rest.rpartition(":")
    fields = {each.name for each in contract.fields}
    turned = kind == "conformity"
    observed, usual = (1 - one.observed if turned else one.observed), one.expected
    if usual is not None and turned:
        usual = 1 - usual
    writer = context.writer
    if kind == "finding":
        if rest not in contract.rules:
            return "other"
        writer.add(f"{prefix}.rule", rest, "name", "rule.name", words={"rule": rest})
        meaning = names.meaning(rest, contract.rules[rest], context.texts) or context.texts("notes", "none")
        writer.add(f"{prefix}.meaning", meaning, "name", "incident.meaning", words=words)
    elif kind == "null":
        if rest not in fields:
            return "other"
        writer.add(f"{prefix}.field", rest, "name", "missing.name", words={"field": rest})
    elif kind == "drift":
        if field not in fields:
            # The name came with the data.
            return "other" if how != "appeared" else _hit(context, prefix, "drift_appeared", observed, None, words)
        writer.add(f"{prefix}.field", field, "name", "missing.name", words={"field": field})
        key = f"drift_{how}"
        return _hit(context, prefix, key if context.texts.has("what", key) else "drift_other", observed, None, words)
    elif kind != "conformity":
        return "other"
    if one.segment is not None:
        _, _, there, elsewhere = one.segment
        writer.add(f"{prefix}.hit_elsewhere", elsewhere, "share", "incident.hit_elsewhere", words=words)
        return _hit(context, prefix, f"{kind}_there", there, None, words)
    return _hit(context, prefix, kind if usual is not None else f"{kind}_only", observed, usual, words)


def _hit(context: Context, prefix: str, key: str, observed: float, usual: float | None, words: dict[str, str]) -> str:
    context.writer.add(f"{prefix}.hit", observed, "share", "incident.hit", words=words)
    context.writer.add(f"{prefix}.hit_usual", usual, "share", "incident.hit_usual", words=words)
    return key


def _compare(context: Context, prefix: str, ratio: float, words: dict[str, str]) -> Ratio:
    """Add the figure of a ratio of observed to expected, and return how it is put."""
    writer = context.writer
    if ratio < 1:
        writer.add(f"{prefix}.less", 1 - ratio, "share", "incident.less", words=words)
        return "below"
    if ratio >= _FACTOR:
        writer.add(f"{prefix}.times", ratio, "ratio", "incident.times", words=words)
        return "times"
    writer.add(f"{prefix}.more", ratio - 1, "share", "incident.more", words=words)
    return "above"


def _ratio(one: Incident) -> float | None:
    """Observed ÷ expected over all windows, or in the worst one; None without an expectation."""
    observed, expected = one.sums[1:] if one.sums is not None else (one.observed, one.expected)
    return observed / expected if expected is not None and expected > 0 else None


def _records(context: Context, one: Incident) -> str:
    texts = context.texts
    if one.segment is None or one.entity not in context.contracts:
        return names.entity_name(one.entity if one.entity in context.contracts else "–", texts)
    field, value, *_ = one.segment
    return names.records_of(context.material.contracts, one.entity, field, value, texts)
