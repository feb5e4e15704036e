"""The custom properties about sales: what a record is worth, in which currency, and which records are orders."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stream_app.contract.draft import Draft
from stream_app.contract.formats import currencies
from stream_app.contract.model import Contract, Match, Revenue, Severity

_FORM = "{quantity: field, price: field, currency: ISO 4217 code}"
_FORM_OF_FIELD = "{quantity: field, price: field, currencyField: field}, with `currency` and `rates` for one converted total"
_NUMERIC = ("integer", "number")


def compile_revenue(draft: Draft, custom: dict[str, Any]) -> Revenue | None:
    """Read what a record is worth; refuse a currency that ISO 4217 does not know."""
    if "revenue" not in custom:
        return None
    at, value = (*draft.at, "customProperties"), custom["revenue"]
    if not isinstance(value, dict) or not {"quantity", "price"} <= set(value):
        raise draft.error(at, f"revenue is not valid; write {_FORM}")

    def field(name: str, types: tuple[str, ...]) -> str:
        return draft.field(value[name], at, types, name).name

    if "currencyField" not in value:
        if set(value) != {"quantity", "price", "currency"}:
            raise draft.error(at, f"revenue is not valid; write {_FORM}, or {_FORM_OF_FIELD}")
        return Revenue(field("quantity", _NUMERIC), field("price", _NUMERIC), _currency(draft, value["currency"]))
    if set(value) - {"quantity", "price", "currencyField", "currency", "rates"} or ("currency" in value) != ("rates" in value):
        raise draft.error(at, f"revenue is not valid; write {_FORM_OF_FIELD}")
    rates = _rates(draft, value["currency"], value["rates"]) if "rates" in value else {}
    return Revenue(
        field("quantity", _NUMERIC),
        field("price", _NUMERIC),
        value.get("currency"),
        field("currencyField", ("string",)),
        rates,
    )


def compile_match(draft: Draft, custom: dict[str, Any], role: str) -> Match | None:
    """Read which records have a role, ``sale`` or ``cancellation``: those with one of some values in a field."""
    if role not in custom:
        return None
    at, value = (*draft.at, "customProperties"), custom[role]
    if not isinstance(value, dict) or set(value) != {"field", "values"}:
        raise draft.error(at, f"{role} is not valid; write {{field: a field, values: [a value, …]}}")
    values = value["values"]
    if not isinstance(values, list) or not values or not all(isinstance(one, str) for one in values):
        raise draft.error(at, f"{role}: values is not a list of strings; write [a value, …]")
    match = Match(draft.field(value["field"], at, ("string",), role).name, frozenset(values))
    if role == "cancellation" and (sale := compile_match(draft, custom, "sale")) is not None:
        both = sorted(sale.values & match.values) if sale.field == match.field else []
        if both:
            raise draft.error(at, f"{both[0]!r} is a sale and a cancellation; remove it from one of them")
    return match


def check_currencies(draft: Draft, revenue: Revenue | None) -> None:
    """Refuse a currency field whose clean records may lack a currency, or a rate: their worth would be in no total."""
    if revenue is None or revenue.currency_field is None:
        return
    at, name = (*draft.at, "customProperties"), revenue.currency_field
    if not draft.field(name, at).required:
        raise draft.error(at, f"currencyField: {name} may be empty, and then nobody knows what a price means; make it required")
    listed = list(_listed(draft, name))
    if not listed and draft.field(name, at).options.get("format") != "currency":
        cure = "give it `format: currency`, or a rule invalidValues of severity error that lists them"
        raise draft.error(at, f"currencyField: {name} may hold something else than a currency; {cure}")
    for value in listed:
        _currency(draft, value)
    if revenue.rates:
        missing = sorted(set(listed) - set(revenue.rates))
        if missing or not listed:
            cure = f"add {', '.join(missing)}" if missing else f"list the valid values of {name} (invalidValues, error)"
            raise draft.error(at, f"rates: {name} may hold a currency that has no rate; {cure}")


def check_visit(draft: Draft, visit: str | None) -> None:
    """Refuse visits without a unique id: a visit that is sent twice would count twice."""
    if visit is not None and all(one.among != "kept" or one.fields != (visit,) for one in draft.uniques):
        at = (*draft.at, "customProperties")
        raise draft.error(at, f"visit: {visit} is not unique, so that visits cannot be counted; make it the primaryKey")


def check_shop_visits(contracts: Iterable[Contract]) -> None:
    """Refuse a shop with two entities of visits.

    Raises:
        ValueError: two entities name a visit.
    """
    found = [one.entity for one in contracts if one.visit]
    if len(found) > 1:
        raise ValueError(f"visits are in several entities ({', '.join(found)}); name `visit` in one")


def check_shop_currency(contracts: Iterable[Contract]) -> str | None:
    """Return the currency of a shop's totals; None if it has none, or a total for each currency.

    Raises:
        ValueError: two entities have totals in different currencies.
    """
    found = {one.revenue.currency or "one total for each currency" for one in contracts if one.revenue}
    if len(found) > 1:
        raise ValueError(f"revenue is in several currencies ({', '.join(sorted(found))}); use one")
    return next((one.revenue.currency for one in contracts if one.revenue), None)


def _listed(draft: Draft, name: str) -> Iterable[Any]:
    for one in draft.values:
        if one.field == name and one.metric == "invalidValues" and one.values and one.rule.severity is Severity.ERROR:
            yield from one.values


def _rates(draft: Draft, base: Any, rates: Any) -> dict[str, float]:
    at = (*draft.at, "customProperties")
    _currency(draft, base)
    if not isinstance(rates, dict) or not rates:
        raise draft.error(at, f"rates is not a mapping; write what one unit of a currency is worth in {base}: {{JPY: 0.0061}}")
    for currency, rate in rates.items():
        _currency(draft, currency)
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < 1e9:
            raise draft.error(at, f"rates: {rate!r} of {currency} is not a rate; write a number above 0")
    if rates.get(base, 1) != 1:
        raise draft.error(at, f"rates: one {base} is worth one {base}; remove its rate")
    return {base: 1.0} | {currency: float(rate) for currency, rate in rates.items()}


def _currency(draft: Draft, value: Any) -> str:
    if not isinstance(value, str) or value not in currencies():
        at = (*draft.at, "customProperties")
        raise draft.error(at, f"unknown currency {value!r}; use an ISO 4217 code of three capitals")
    return value
