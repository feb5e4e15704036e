"""The list of reports: those of regular periods with the daily one in front, and those about incidents. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC as UTC_TZ
from datetime import datetime
from typing import NamedTuple

from stream_app.windows.zone import UTC, Zone

#: The id of a report: its period in UTC, its language, and what kind it is.
_ID = re.compile(r"(\d{8}T\d{4})-(\d{8}T\d{4})-([a-z]{2})(-provisional|-closed)?")


class Listed(NamedTuple):
    """A report by its id. ``start`` and ``end`` (s) are 0, and ``language`` is empty, where the id does not say it."""

    id: str
    start: int = 0
    end: int = 0
    language: str = ""
    provisional: bool = False
    incidents: bool = False


@dataclass(frozen=True, slots=True)
class ReportList:
    """Reports, the newest first; ``daily``: the newest final report on one day, None without one."""

    regular: tuple[Listed, ...] = ()
    incidents: tuple[Listed, ...] = ()
    daily: Listed | None = None

    @property
    def first(self) -> Listed | None:
        """The report to show first: the daily one, else the newest regular one, else the newest of all."""
        return self.daily or next(iter((*self.regular, *self.incidents)), None)


def report_list(ids: Iterable[str], zone: Zone = UTC, language: str = "") -> ReportList:
    """Arrange reports by their ids. ``zone``: whose days the days are; ``language``: of the daily report, if there is one."""
    listed = sorted(map(_listed, ids), key=lambda one: (-one.end, one.provisional, one.start, one.language != language, one.id))
    regular = tuple(one for one in listed if not one.incidents)
    daily = [one for one in regular if not one.provisional and _is_day(one, zone)]
    preferred = next((one for one in daily if one.language == language), next(iter(daily), None))
    return ReportList(regular, tuple(one for one in listed if one.incidents), preferred)


def _listed(report_id: str) -> Listed:
    found = _ID.fullmatch(report_id)
    if found is None:
        return Listed(report_id)
    try:
        start, end = (
            int(datetime.strptime(text, "%Y%m%dT%H%M").replace(tzinfo=UTC_TZ).timestamp()) for text in (found[1], found[2])
        )
    except ValueError:
        return Listed(report_id)
    return Listed(report_id, start, end, found[3], found[4] == "-provisional", found[4] == "-closed")


def _is_day(one: Listed, zone: Zone) -> bool:
    return one.end > one.start > 0 and zone.day(one.start) == one.start and zone.next_day(one.start) == one.end
