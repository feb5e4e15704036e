"""The monitor's state of one entity, from window to window: a small JSON document with short names.

The short names are format 1, and stay: a worker goes on from the state that the worker before it stored. Structs with
``array_like`` and named tuples are lists in JSON. Sums and averages have four significant digits (``robust.short``).
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from stream_app.contract.model import Contract
from stream_app.monitor.incident import Incident

FORMAT = 1


class Sums(NamedTuple):
    """Two cumulative sums (CUSUM) of scores: of those below, and of those above the expected."""

    low: float = 0.0
    high: float = 0.0


class Episode(msgspec.Struct, omit_defaults=True, rename={"windows": "n", "shifts": "r", "incident": "i"}):
    """A run of anomalous windows of one metric.

    Attributes:
        down: below the expected.
        hidden: explained by an incident of another metric; it has no incident of its own yet.
        gap, idle: windows in a row that were normal, and that said nothing.
        windows: number of anomalous windows.
        worst: largest score.
        shifts: what becomes normal if this goes on, window by window.
        value: of a mix, the segment value whose share has changed.
    """

    down: bool
    hidden: bool
    gap: int
    idle: int
    windows: int
    worst: float
    shifts: list[float]
    incident: Incident | None
    value: str | None = None


class Run(NamedTuple):
    """Windows in a row in which a cumulative sum was above zero: their number, and observed and expected added up."""

    windows: int = 0
    observed: float = 0.0
    expected: float = 0.0


class Track(msgspec.Struct, rename={"sums": "s", "episode": "o", "below": "b", "above": "a"}):
    """One metric: its sums, the open episode, and the windows that each sum adds up (``below``, ``above``) if it does."""

    sums: Sums = Sums()
    episode: Episode | None = None
    below: Run | msgspec.UnsetType = msgspec.UNSET
    above: Run | msgspec.UnsetType = msgspec.UNSET


class Silence(msgspec.Struct, array_like=True):
    """Windows in which many records are expected: how many, how many of them were empty, and empty ones in a row."""

    windows: float = 0.0
    empty: float = 0.0
    run: int = 0


class SeasonalState(
    msgspec.Struct,
    rename={
        "warm_up": "b", "level": "l", "cells": "c", "days": "d", "scores": "z", "recent": "t", "silence": "q",
    },
):  # fmt: skip
    """A sum per window (records, money).

    Attributes:
        warm_up: (start, sum) of the windows before there is a level.
        level: sum of an average window.
        cells: cell of the week → the last sums, as multiples of the level of their time.
        days: day of the week → how busy it is, of days of its kind.
        scores: of the last windows.
        recent: the last sums.
    """

    warm_up: list[tuple[int, int]] = []
    level: float | None = None
    cells: dict[int, list[float]] = {}
    days: dict[int, float] = {}
    scores: list[float] = []
    recent: list[float] = []
    silence: Silence = msgspec.field(default_factory=Silence)


class BaseState(msgspec.Struct, rename={"windows": "n", "records": "w", "hours": "c"}):
    """The records that shares are shares of: windows, records in an average memory, by daily cell (records, visits)."""

    windows: int = 0
    records: float = 0.0
    hours: dict[int, tuple[float, int]] = {}


class SharesState(msgspec.Struct, rename={"hits": "k", "hours": "c", "scores": "z"}):
    """One share: hits in an average memory, hits by daily cell, scores of the last windows."""

    hits: float = 0.0
    hours: dict[int, float] = {}
    scores: list[float] = []


class AverageState(msgspec.Struct, omit_defaults=True, rename={"values": "v", "scores": "z", "waiting": "w"}):
    """An average per window: (daily cell, average) and scores of the last windows.

    ``waiting``: (orders, revenue) of windows with too few orders.
    """

    values: list[tuple[int, float]] = []
    scores: list[float] = []
    waiting: tuple[int, int] = (0, 0)


class MixValue(msgspec.Struct, array_like=True):
    """One value of a segment field: records in an average memory, the two sums, and its share over the last windows."""

    records: float = 0.0
    low: float = 0.0
    high: float = 0.0
    share: float = 0.0


class MixState(msgspec.Struct, rename={"windows": "n", "records": "w", "scores": "z", "values": "v"}):
    """The values of one segment field: windows, records in an average memory, scores, and value → its part."""

    windows: int = 0
    records: float = 0.0
    scores: list[float] = []
    values: dict[str, MixValue] = {}


class State(msgspec.Struct, omit_defaults=True):
    """Everything that the monitor knows of an entity.

    Attributes:
        at: start (s) of the last window; None before the first record.
        windows, records, peak: windows so far, their records, and the records of the largest one.
        tracks: metric → its track.
        judged: the records with a verdict.
        shares: counter field (``monitor.sources``) → its share of those.
        waiting: rule of a promised share → (hits, records) of windows with too few records.
        revenue, average: only if the contract has a revenue in one currency; ``mix``: segment field → state.
    """

    format: int
    at: int | None
    windows: int
    records: int
    peak: int
    tracks: dict[str, Track]
    volume: SeasonalState
    judged: BaseState
    shares: dict[str, SharesState]
    waiting: dict[str, tuple[int, int]]
    revenue: SeasonalState | None = None
    average: AverageState | None = None
    mix: dict[str, MixState] = {}

    @classmethod
    def new(cls, contract: Contract) -> State:
        """Return the state in which nothing is known."""
        money = _money(contract)
        return cls(
            format=FORMAT,
            at=None,
            windows=0,
            records=0,
            peak=0,
            tracks={},
            volume=SeasonalState(),
            judged=BaseState(),
            shares={},
            waiting={},
            revenue=SeasonalState() if money else None,
            average=AverageState() if money else None,
            mix={name: MixState() for name in contract.segments},
        )

    def fits(self, contract: Contract) -> bool:
        """True if the state has what this contract needs: it may be of one with other segments, or without revenue."""
        return (
            self.format == FORMAT
            and tuple(self.mix) == contract.segments
            and (self.revenue is not None) == (self.average is not None) == _money(contract)
        )

    def to_json(self) -> str:
        """Return the stored document."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> State | None:
        """Read what ``to_json`` wrote; None if the document is not a state of this format."""
        try:
            return _STATES.decode(text)
        except ValueError:
            return None


def _money(contract: Contract) -> bool:
    """True if the contract's revenue has a total to watch: one currency, or rates."""
    return contract.revenue is not None and contract.revenue.currency is not None


_STATES = msgspec.json.Decoder(State)
