"""Notes of a page on its days, where they do not begin at midnight by the clocks of the shop."""

from __future__ import annotations

from dashboard import data
from dashboard.parts.live import quiet
from stream_app.windows.grain import Grain, Span


def days_note(span: Span | None, bar_seconds: int) -> None:
    """Draw the note; nothing if the days begin at midnight, or the page shows none."""
    text = None if span is None else note(span, bar_seconds)
    if text is not None:
        quiet(text)


def note(span: Span, bar_seconds: int) -> str | None:
    """Return the note."""
    zone = data.zone()
    if zone.is_utc or bar_seconds <= Grain.HOUR.seconds:
        return None
    if span.zone.is_utc:
        return f"Days are those of UTC, not of {zone.name}: the hours of this range are no longer kept."
    begin = zone.local(zone.day(span.start))
    if begin.minute or begin.hour:
        return f"Days begin at {begin:%H:%M} ({zone.name}), not at midnight: records are counted by hours of UTC."
    return None
