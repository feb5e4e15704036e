"""What a report is computed from: counts of the period and the one before, contracts, incidents, the pipeline's health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from stream_app.contract.summary import ContractSummary
from stream_app.store.period import PeriodCounts


class Incident(Protocol):
    """An incident as the store holds it; floats are of the worst window, times are epoch seconds."""

    @property
    def id(self) -> str: ...
    @property
    def entity(self) -> str: ...
    @property
    def metric(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def windows(self) -> int: ...
    @property
    def observed(self) -> float: ...
    @property
    def expected(self) -> float | None: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...
    @property
    def unit(self) -> str: ...
    @property
    def direction(self) -> str: ...
    @property
    def segment(self) -> tuple[str, str, float, float] | None: ...


@dataclass(frozen=True, slots=True)
class Health:
    """How the pipeline stood when the report was written; ``stream`` is the newest event time, epoch seconds."""

    workers: int
    lag: int | None
    waiting: int
    stream: int | None


@dataclass(frozen=True, slots=True)
class Material:
    """From ``start`` up to ``end``, epoch seconds of event time.

    ``before``: the equally long period before, None where the stream does not cover it. ``contracts``: the sales entity
    first.
    """

    start: int
    end: int
    contracts: Mapping[str, ContractSummary]
    counts: Mapping[str, PeriodCounts]
    before: Mapping[str, PeriodCounts] | None
    incidents: Sequence[Incident]
    health: Health
