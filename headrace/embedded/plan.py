"""The plan of a demo: its options, and the command that sends its records."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

#: Days of history of the simulated shop.
HISTORY_DAYS = 28
#: Incidents of the simulated shop: days and hours after the history, duration in hours, name.
STAGED = (
    (0, 12, 4, "null_flood"), (1, 9, 5, "price_times"), (2, 14, 6, "outage"), (3, 10, 4, "spike"), (5, 8, 24, "country_gone"),
    (6, 12, 6, "currency_mixup"), (8, 9, 8, "field_renamed"), (9, 15, 5, "duplicate_storm"), (11, 0, 48, "slow_decay"),
    (15, 10, 6, "clock_skew"), (17, 9, 5, "outage"), (19, 12, 4, "price_times"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """The options of a demo.

    Attributes:
        data: files to send; none: a simulated shop.
        once: end when every record has a verdict.
        rate: records per second, as text; None: as fast as possible, or a shop with history.
        speed: seconds of event time per second, as text.
        port: port of the dashboard; None: the default port, or a free one.
    """

    shop: Path | None = None
    data: tuple[str, ...] = ()
    once: bool = False
    rate: str | None = None
    speed: str | None = None
    faults: str = "3%"
    workers: int = 1
    dashboard: bool = True
    port: int | None = None
    browser: bool = True

    def producer(self) -> list[str]:
        """Return the arguments of the ``headrace`` command that sends the records."""
        pace = [f"--rate={self.rate}"] if self.rate else []
        pace += [f"--speed={self.speed}"] if self.speed else []
        if self.data:
            return ["replay", *pace, *self.data]
        return ["simulate", f"--faults={self.faults}", *(pace or with_history(time.time()))]


def with_history(now: float) -> list[str]:
    """Return the options of a shop with four weeks of history, which is sent at once; then ten minutes pass per second.

    Incidents are staged after the history, so that baselines exist. Event time starts 120 days ago, so that it does not reach
    the present for some hours.
    """
    start = datetime.fromtimestamp(now, UTC) - timedelta(days=120)
    staged = ",".join(f"{name}@{HISTORY_DAYS + day}d{hour}h+{hours}h" for day, hour, hours, name in STAGED)
    return [
        f"--start={start:%Y-%m-%d}", f"--history={HISTORY_DAYS}d", "--speed=600x", "--rate=33/s", f"--incidents={staged}",
    ]  # fmt: skip
