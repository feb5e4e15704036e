"""The part of a contract that readers of the counts need; workers store it as JSON."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from stream_app.contract.model import DEFAULT_TARGET, Contract, Rule, Severity

_INFO = Severity.INFO.value
#: Maximum number of listed values of a segment that readers get; longer lists are left out.
MAX_LISTED = 1_000


class RuleSummary(msgspec.Struct, frozen=True):
    """One rule. ``worth``: quantity × price of the records that it finds is the value at risk (``tells_worth``)."""

    dimension: str
    severity: str
    path: str = "$"
    message: str = ""
    impact: str | None = None
    kind: str = "structure"
    worth: bool = False

    @property
    def counts(self) -> bool:
        """True if findings of this rule make a record invalid; those of ``info`` rules do not."""
        return self.severity != _INFO


class FieldSummary(msgspec.Struct, frozen=True):
    """One field: its logical type; ``personal`` values are shown masked."""

    name: str
    type: str
    personal: bool = False


class ContractSummary(msgspec.Struct, frozen=True):
    """One entity's contract. Attributes are in the order of the stored JSON; what an older worker did not write has a default.

    Attributes:
        listed: segment field → the values that the contract lists for it.
        order_unique: each clean record is an order of its own.
        customer_entity: the entity whose known records are the shop's customers.
        references: the entities that it refers to.
        rules_of_references: rule that finds references to unknown records → the entity of these.
        target: the least share of valid records that is good.
        weight: how much a record of it counts in the quality of the whole shop.
        currency: of totals; None if there is none, or each currency has a total of its own.
        by_currency: a field names the currency of each record.
        visits: each clean record is a visit to the shop.
        selects_sales: the contract says which records are orders, and counts hold their number.
        rates: currency → what one unit of it is worth in ``currency``.
    """

    id: str
    version: str
    currency: str | None = None
    event_time: str | None = None
    segments: tuple[str, ...] = ()
    listed: Mapping[str, tuple[str, ...]] = {}
    order: str | None = None
    order_unique: bool = False
    customer: str | None = None
    customer_entity: str | None = None
    revenue: bool = False
    references: tuple[str, ...] = ()
    target: float = DEFAULT_TARGET
    weight: float = 1.0
    fields: tuple[FieldSummary, ...] = ()
    rules: Mapping[str, RuleSummary] = {}
    by_currency: bool = False
    rates: Mapping[str, float] = {}
    selects_sales: bool = False
    visits: bool = False
    rules_of_references: Mapping[str, str] = {}

    def to_json(self) -> str:
        """Return compact JSON."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> ContractSummary:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: anything else.
        """
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError as error:
            raise ValueError(f"an unreadable contract summary ({error})") from None


def describe(contract: Contract) -> ContractSummary:
    """Summarise a compiled contract for readers of its counts."""
    customers = [reference.to_entity for reference in contract.references if reference.field == contract.customer]
    return ContractSummary(
        id=contract.id,
        version=contract.version,
        currency=contract.revenue.currency if contract.revenue else None,
        event_time=contract.event_time,
        segments=contract.segments,
        listed={name: tuple(sorted(values)) for name, values in contract.listed.items() if 0 < len(values) <= MAX_LISTED},
        order=contract.order,
        order_unique=order_is_unique(contract),
        customer=contract.customer,
        customer_entity=customers[0] if customers else None,
        revenue=contract.revenue is not None,
        target=contract.target,
        weight=contract.weight,
        references=tuple(dict.fromkeys(reference.to_entity for reference in contract.references)),
        fields=tuple(FieldSummary(field.name, field.type, field.personal) for field in contract.fields),
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
        by_currency=contract.revenue is not None and contract.revenue.currency_field is not None,
        rates=contract.revenue.rates if contract.revenue else {},
        selects_sales=contract.sale is not None or contract.cancellation is not None,
        visits=contract.visit is not None,
        rules_of_references={reference.rule.id: reference.to_entity for reference in contract.references},
    )


#: Rules that may doubt the amount, whatever field they name.
_DOUBTING_KINDS = frozenset({"condition", "outlier", "deviation"})


def repeats(contract: Contract, rule: Rule) -> bool:
    """True if what the rule finds repeats another record, and is worth nothing: the rule is on the key.

    That is the primary key, perhaps with other fields, or the record key. A coupon that another order has, too, makes no
    repeat of the order. A record that has a key with other content breaks ``….contradiction``.
    """
    primary = next((unique.fields for unique in contract.uniques if unique.contradiction is not None), (contract.key,))
    return any(
        unique.rule.id == rule.id and (set(primary) <= set(unique.fields) or unique.fields == (contract.key,))
        for unique in contract.uniques
    )


def tells_worth(contract: Contract, rule: Rule) -> bool:
    """True if quantity × price of the records that this rule finds is the value at risk: the rule does not doubt it.

    A rule on the field that tells sales from other states of an order doubts it, too.
    """
    revenue = contract.revenue
    return (
        revenue is not None
        and rule.severity is not Severity.INFO
        and rule.field not in revenue.fields
        and not any(role is not None and rule.field == role.field for role in (contract.sale, contract.cancellation))
        and rule.kind not in _DOUBTING_KINDS
        and not repeats(contract, rule)
    )


def orders_are_distinct(contract: Contract) -> bool:
    """True if several records may share an order, so that orders are the distinct values of a field."""
    return contract.order is not None and not order_is_unique(contract)


def order_is_unique(contract: Contract) -> bool:
    """True if each clean record is an order of its own, so that orders need no distinct count."""
    return any(unique.among == "kept" and unique.fields == (contract.order,) for unique in contract.uniques)
