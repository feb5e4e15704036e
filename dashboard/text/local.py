"""The time zone of a dashboard's texts and axes: that of the settings, the same for all viewers."""

from __future__ import annotations

from dataclasses import dataclass

from stream_app.windows.zone import UTC, Zone


@dataclass(slots=True)
class _Chosen:
    zone: Zone = UTC


_CHOSEN = _Chosen()


def use(zone: Zone) -> None:
    """Show times as the clocks of ``zone`` do, from now on."""
    _CHOSEN.zone = zone


def zone() -> Zone:
    """Return the zone whose clocks texts and axes follow."""
    return _CHOSEN.zone
