"""Incidents as the monitor makes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stream_app.monitor import Incident
from tests.support.windows import HOUR


def incident(start: int, state: str = "open", **more: Any) -> Incident:
    """An incident in the volume of the orders, with whatever is different about it."""
    fields: dict[str, Any] = {
        "id": f"orders.volume.{start}", "entity": "orders", "metric": "volume", "severity": "error", "state": state,
        "start": start, "end": start + HOUR, "grain": "h", "windows": 1, "observed": 0.0, "expected": 40.0, "low": 20.0,
        "high": 70.0, "unit": "records", "direction": "low", "segment": ("country", "Japan", 0.1, 1.0), "updated": start + HOUR,
    }  # fmt: skip
    return Incident(**fields | more)


@dataclass(frozen=True)
class Message:
    """A record of the anomalies topic."""

    incident: Incident
    offset: int = 0

    @property
    def value(self) -> bytes:
        return self.incident.to_json().encode()
