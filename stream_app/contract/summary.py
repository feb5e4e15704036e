"""What readers of the counts need to know of a contract."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from stream_app.contract.model import Contract, Rule, Severity

_INFO = Severity.INFO.value


@dataclass(frozen=True, slots=True)
class RuleSummary:
    """What a finding of this rule means. ``worth``: what its records are worth is known (``judge.worth``)."""

    dimension: str
    severity: str
    path: str = "$"
    message: str = ""
    impact: str | None = None
    kind: str = "structure"
    worth: bool = False

    @property
    def counts(self) -> bool:
        """Whether findings of this rule lower the quality score: those of ``info`` rules do not."""
        return self.severity != _INFO


@dataclass(frozen=True, slots=True)
class FieldSummary:
    """One field: its logical type, and whether its values are personal and shown masked."""

    name: str
    type: str
    personal: bool = False


@dataclass(frozen=True, slots=True)
class ContractSummary:
    """What readers of the counts need to know of a contract.

    ``order_unique``: the ``order`` property is unique, so that clean records are orders.
    ``customer_entity``: the entity whose known records are the shop's customers.
    ``listed``: segment field → the values that the contract itself lists for it.
    """

    id: str
    version: str
    rules: Mapping[str, RuleSummary] = field(default_factory=dict)
    fields: tuple[FieldSummary, ...] = ()
    references: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    currency: str | None = None
    event_time: str | None = None
    order: str | None = None
    order_unique: bool = False
    customer: str | None = None
    customer_entity: str | None = None
    revenue: bool = False
    listed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def to_json(self) -> str:
        """Compact JSON, the value under the contracts key."""
        plain = {
            "id": self.id,
            "version": self.version,
            "currency": self.currency,
            "event_time": self.event_time,
            "segments": list(self.segments),
            "listed": {name: list(values) for name, values in self.listed.items()},
            "order": self.order,
            "order_unique": self.order_unique,
            "customer": self.customer,
            "customer_entity": self.customer_entity,
            "revenue": self.revenue,
            "references": list(self.references),
            "fields": [{"name": one.name, "type": one.type, "personal": one.personal} for one in self.fields],
            "rules": {
                rule_id: {
                    "dimension": rule.dimension,
                    "severity": rule.severity,
                    "path": rule.path,
                    "message": rule.message,
                    "impact": rule.impact,
                    "kind": rule.kind,
                    "worth": rule.worth,
                }
                for rule_id, rule in self.rules.items()
            },
        }
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> ContractSummary:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: the text is no such JSON.
        """
        try:
            plain = json.loads(text)
            references = tuple(plain["references"])
            customer = plain["customer"]
            return cls(
                id=plain["id"],
                version=plain["version"],
                currency=plain["currency"],
                event_time=plain["event_time"],
                segments=tuple(plain["segments"]),
                order=plain["order"],
                order_unique=bool(plain.get("order_unique", False)),
                customer=customer,
                customer_entity=plain.get("customer_entity"),
                revenue=bool(plain["revenue"]),
                listed={name: tuple(values) for name, values in plain.get("listed", {}).items()},
                references=references,
                fields=tuple(FieldSummary(one["name"], one["type"], bool(one["personal"])) for one in plain["fields"]),
                rules={
                    rule_id: RuleSummary(
                        dimension=rule["dimension"],
                        severity=rule["severity"],
                        path=rule["path"],
                        message=rule["message"],
                        impact=rule["impact"],
                        kind=rule["kind"],
                        worth=bool(rule.get("worth", False)),
                    )
                    for rule_id, rule in plain["rules"].items()
                },
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no contract summary: {type(error).__name__}: {error}") from None


def describe(contract: Contract) -> ContractSummary:
    """What the store and the figures need of a compiled contract."""
    customers = [reference.to_entity for reference in contract.references if reference.field == contract.customer]
    return ContractSummary(
        id=contract.id,
        version=contract.version,
        currency=contract.revenue.currency if contract.revenue else None,
        event_time=contract.event_time,
        segments=contract.segments,
        order=contract.order,
        order_unique=any(unique.among == "kept" and unique.fields == (contract.order,) for unique in contract.uniques),
        customer=contract.customer,
        customer_entity=customers[0] if customers else None,
        revenue=contract.revenue is not None,
        listed={name: values for name in contract.segments if (values := _listed(contract, name))},
        references=tuple(dict.fromkeys(reference.to_entity for reference in contract.references)),
        fields=tuple(FieldSummary(one.name, one.type, one.personal) for one in contract.fields),
        rules={
            rule_id: RuleSummary(
                rule.dimension.value,
                rule.severity.value,
                rule.path,
                rule.message,
                rule.impact,
                rule.kind,
                tells_worth(contract, rule),
            )
            for rule_id, rule in contract.rules.items()
        },
    )


#: More listed values than these are not passed on to readers.
MOST_LISTED = 500


def _listed(contract: Contract, name: str) -> tuple[str, ...]:
    """The values of a field that the contract lists: valid ones, and those that its spellings lead to."""
    valid = [value for one in contract.values if one.field == name and one.metric == "invalidValues" for value in one.values]
    spelt = [value for one in contract.fields if one.name == name for value in one.spellings.values()]
    found = tuple(dict.fromkeys(value for value in [*valid, *spelt] if isinstance(value, str)))
    return found if len(found) <= MOST_LISTED else ()


#: Rules that may doubt the amount whatever fields they name.
_DOUBTING_KINDS = frozenset({"condition", "outlier", "deviation"})
#: A record that comes a second time, word for word, is worth nothing (one that says something else is a contradiction).
_REPEATED = ".unique"


def tells_worth(contract: Contract, rule: Rule) -> bool:
    """Whether quantity × price of the records that this rule finds says what is at risk: it doubts neither of them."""
    revenue = contract.revenue
    return (
        revenue is not None
        and rule.severity is not Severity.INFO
        and rule.field not in (revenue.quantity, revenue.price)
        and rule.kind not in _DOUBTING_KINDS
        and not rule.id.endswith(_REPEATED)
    )


def order_is_unique(contract: Contract) -> bool:
    """Whether each clean record is an order of its own, so that orders need no distinct count."""
    return any(unique.among == "kept" and unique.fields == (contract.order,) for unique in contract.uniques)
