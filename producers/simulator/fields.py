"""The fields of simulated events, which the contracts of a shop must have."""

from __future__ import annotations

from stream_app.contract import Shop
from stream_app.errors import SettingsError

#: Entity → the fields of its events.
FIELDS = {
    "orders": ("order_id", "customer_id", "product_id", "quantity", "price", "order_date"),
    "customers": ("customer_id", "name", "email", "country"),
    "products": ("product_id", "category", "unit_price"),
}
#: The same of visits, which a shop may do without.
VISITS = "visits"
VISIT_FIELDS = ("visit_id", "customer_id", "source", "started")


def check_shop(shop: Shop) -> None:
    """Refuse a shop that lacks the fields of simulated events.

    Raises:
        SettingsError: an entity or a field is missing.
    """
    for entity, names in FIELDS.items():
        contract = shop.contracts.get(entity)
        missing = set(names) - {field.name for field in contract.fields} if contract else set(names)
        if missing:
            raise SettingsError(
                f"{shop.folder}: the simulator makes events of the built-in shop, and {entity} lacks "
                f"{', '.join(sorted(missing))}; unset HEADRACE_SHOP, or replay files of this shop"
            )


def has_visits(shop: Shop) -> bool:
    """True if the shop has an entity for simulated visits."""
    contract = shop.contracts.get(VISITS)
    return contract is not None and set(VISIT_FIELDS) <= {field.name for field in contract.fields}
