"""Read or draw up a schedule: which incidents happen to a simulated stream, and when."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from producers.simulator.incidents import BY_NAME, HOUR_MS, KINDS, Incident, Kind
from stream_app.errors import SettingsError
from stream_app.windows.calendar import milliseconds, parse_moment

_UNITS = {"w": 7 * 24 * HOUR_MS, "d": 24 * HOUR_MS, "h": HOUR_MS, "m": 60_000}
_DURATION = re.compile(r"(?:\d+[wdhm])+")
_ENTRY = re.compile(r"(?P<name>\w+)@(?P<start>[^+*]+)(?:\+(?P<duration>[^*]+))?(?:\*(?P<magnitude>\d+(?:\.\d+)?))?")


def spread(kinds: Sequence[Kind], rng: random.Random, start_ms: int, end_ms: int) -> tuple[Incident, ...]:
    """Spread one incident of each kind over a span, in random order with equal gaps, each starting between 6 and 18 h UTC.

    Raises:
        SettingsError: the span is too short.
    """
    if not kinds:
        return ()
    gap = (end_ms - start_ms - sum(kind.hours for kind in kinds) * HOUR_MS) // len(kinds)
    found = []
    at = start_ms
    for kind in rng.sample(list(kinds), len(kinds)):
        first = -(-(at + gap // 3) // HOUR_MS)
        starts = [hour for hour in range(first, (at + gap) // HOUR_MS) if 6 <= hour % 24 < 18]
        if not starts:
            raise SettingsError(
                f"{len(kinds)} incidents do not fit into {(end_ms - start_ms) // HOUR_MS} hours of event time; "
                "ask for fewer, or for more orders at a lower rate"
            )
        begin = rng.choice(starts) * HOUR_MS + rng.randrange(60) * 60_000
        found.append(Incident(kind, begin, begin + kind.hours * HOUR_MS, kind.magnitude))
        at += gap + kind.hours * HOUR_MS
    return tuple(found)


def parse_schedule(text: str, *, seed: int, start_ms: int, span_ms: int) -> tuple[Incident, ...]:
    """Read a schedule: ``random:5``, or ``NAME@START+DURATION*MAGNITUDE,…`` where duration and magnitude are optional.

    START is a time (``2026-01-09T12:00:00Z``) or the time since the first order (``3d12h``). ``random:N`` spreads N kinds
    over the last three quarters of ``span_ms``.

    Raises:
        SettingsError: invalid format, unknown kind, duration or magnitude of zero, or a span that is too short.
    """
    if text.startswith("random:"):
        number = text.removeprefix("random:")
        if not number.isdigit() or not 1 <= int(number) <= len(KINDS):
            raise SettingsError(
                f"{text!r} is not a count of incidents; write random:1 to random:{len(KINDS)}, such as random:5"
            )
        # A generator of its own, so that the shop and the faults stay the same.
        rng = random.Random(f"schedule {seed}")  # noqa: S311 - a simulation must be repeatable, not secret
        kinds = rng.sample(KINDS, int(number))
        return tuple(sorted(spread(kinds, rng, start_ms + span_ms // 4, start_ms + span_ms), key=_start))
    return tuple(sorted((_parsed(part.strip(), start_ms) for part in text.split(",")), key=_start))


def _start(incident: Incident) -> int:
    return incident.start_ms


def _parsed(text: str, start_ms: int) -> Incident:
    match = _ENTRY.fullmatch(text)
    if match is None:
        raise SettingsError(
            f"{text!r} is not an incident; write one such as outage@3d12h+6h or spike@2026-01-09T12:00:00Z+4h*5"
        )
    kind = BY_NAME.get(match["name"])
    if kind is None:
        raise SettingsError(f"unknown incident {match['name']!r}; incidents: {', '.join(BY_NAME)}")
    start = match["start"]
    begin = start_ms + parse_duration(start) if _DURATION.fullmatch(start) else _moment(start)
    length = parse_duration(match["duration"]) if match["duration"] else kind.hours * HOUR_MS
    magnitude = float(match["magnitude"]) if match["magnitude"] else kind.magnitude
    if not length or not magnitude:
        raise SettingsError(f"{text!r} has a duration or a magnitude of zero; write values above zero")
    if kind.magnitude <= 1 < magnitude:
        raise SettingsError(f"{text!r}: the magnitude of {kind.name} is a share; write at most 1")
    return Incident(kind, begin, begin + length, magnitude)


def parse_duration(text: str) -> int:
    """Return the milliseconds of ``6h``, ``3d12h`` or ``90m``.

    Raises:
        SettingsError: invalid format.
    """
    if not _DURATION.fullmatch(text):
        raise SettingsError(f"{text!r} is not a duration; write one such as 6h, 3d12h or 90m")
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([wdhm])", text))


def _moment(text: str) -> int:
    moment = parse_moment(text) or parse_moment(f"{text}T00:00:00Z")
    if moment is None:
        raise SettingsError(
            f"{text!r} is not a time; write one such as 2026-01-09T12:00:00Z, or 3d12h for a time after the first order"
        )
    return milliseconds(moment)
