"""ODCS files → compiled contracts. Pure: no Kafka, no Redis, no clock."""

from stream_app.contract.model import (
    Before,
    Condition,
    Contract,
    Deviation,
    Dimension,
    Field,
    Outlier,
    Reference,
    Required,
    Revenue,
    Rule,
    Severity,
    Shop,
    Stale,
    Unique,
    ValueRule,
    WindowRule,
)
from stream_app.contract.read import load_shop

__all__ = [
    "Before",
    "Condition",
    "Contract",
    "Deviation",
    "Dimension",
    "Field",
    "Outlier",
    "Reference",
    "Required",
    "Revenue",
    "Rule",
    "Severity",
    "Shop",
    "Stale",
    "Unique",
    "ValueRule",
    "WindowRule",
    "load_shop",
]
