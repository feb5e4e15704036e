"""ODCS files → compiled contracts. Pure: no Kafka, no Redis, no clock."""

from stream_app.contract.model import (
    Condition,
    Contract,
    Dimension,
    Field,
    Reference,
    Revenue,
    Rule,
    Severity,
    Shop,
    Unique,
    ValueRule,
)
from stream_app.contract.read import load_shop

__all__ = [
    "Condition",
    "Contract",
    "Dimension",
    "Field",
    "Reference",
    "Revenue",
    "Rule",
    "Severity",
    "Shop",
    "Unique",
    "ValueRule",
    "load_shop",
]
