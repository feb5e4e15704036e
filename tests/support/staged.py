"""Incidents of one cause in a filled store: a country is gone, with the trail that the monitor would have left."""

from __future__ import annotations

from typing import Any

import redis

from stream_app.counts.fields import segment
from stream_app.monitor import Incident
from stream_app.store.keys import Keys
from stream_app.windows.grain import Grain

HOUR = 3_600
#: The segment field of orders that is a country.
COUNTRY = "customer_id.country"


def country_gone(until: int, *, state: str = "open", hours: int = 6, **changes: object) -> list[Incident]:
    """The incidents of a day on which orders from one country stay away, up to the stream's time ``until`` (s)."""
    end = until // HOUR * HOUR
    start = end - hours * HOUR
    gone = (COUNTRY, "United Kingdom", 0.0, 0.96)
    trail = tuple((at, 40.0, 90.0, 70.0, 115.0) for at in range(start, end, HOUR))
    volume = Incident(
        id=f"orders.volume.{start}", entity="orders", metric="volume", severity="error", state=state, start=start, end=end,
        grain=Grain.HOUR, windows=hours, observed=40.0, expected=90.0, low=70.0, high=115.0, unit="records", direction="low",
        segment=gone, updated=end, effect=-4_987_600.0, sums=(hours, 40.0 * hours, 90.0 * hours), trail=trail,
    )  # fmt: skip
    mix = Incident(
        id=f"orders.mix:{COUNTRY}.{start}", entity="orders", metric=f"mix:{COUNTRY}", severity="error", state=state,
        start=start, end=end, grain=Grain.HOUR, windows=hours, observed=0.0, expected=0.55, low=None, high=None, unit="share",
        direction="changed", segment=(COUNTRY, "United Kingdom", 0.0, 0.55), updated=end, effect=-4_987_600.0,
        trail=tuple((at, 0.0, 0.55, None, None) for at in range(start, end, HOUR)),
    )  # fmt: skip
    return [volume, mix]


def put(client: redis.Redis, keys: Keys, *found: Incident) -> None:
    """Store incidents as the monitor does."""
    for one in found:
        client.hset(keys.incidents(), one.id, one.to_json())
        client.zadd(keys.incidents_by_start(), {one.id: one.start})


def judged(client: redis.Redis, keys: Keys, until: int, *entities: str) -> None:
    """Put the monitor of entities at the hour that ends at ``until`` (s)."""
    for entity in entities:
        client.hset(keys.monitor(entity, Grain.HOUR), "at", until // HOUR * HOUR - HOUR)


def countries(client: redis.Redis, keys: Keys, until: int, hours: int = 6) -> None:
    """Count the orders of the hours around ``country_gone`` by country."""
    end = until // HOUR * HOUR
    for number in range(1, 31):
        start = end - number * HOUR
        rows = {"France": 25, "Spain": 15} | ({} if number <= hours else {"United Kingdom": 50})
        fields: dict[Any, Any] = {segment(COUNTRY, "in", name): count for name, count in rows.items()}
        client.hset(keys.window("orders", Grain.HOUR, start), mapping=fields)
