"""One window of one entity on its way through the measures: what they share."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from stream_app.contract.model import Contract
from stream_app.contract.planned import Planned
from stream_app.contract.summary import orders_are_distinct
from stream_app.counts.window import Window
from stream_app.monitor.episodes import Episodes, Outcome, is_idle, is_open
from stream_app.monitor.incident import Change
from stream_app.monitor.reading import Reading
from stream_app.monitor.readings import Readings
from stream_app.monitor.state import State, Track
from stream_app.monitor.tuning import RHYTHMS, Rhythm, Tuning
from stream_app.windows.grain import Grain


@dataclass(frozen=True, slots=True)
class Parts:
    """The objects and names that all steps of one entity share.

    ``promises``: ids of the contract's rules over windows; ``fields``: names of all fields, and of the ``required`` ones.
    ``distinct_orders``: several records may share an order.
    """

    contract: Contract
    tuning: Tuning
    rhythm: Rhythm
    episodes: Episodes
    readings: Readings
    promises: frozenset[str]
    fields: frozenset[str]
    required: frozenset[str]
    distinct_orders: bool

    @classmethod
    def of(cls, contract: Contract, grain: Grain, tuning: Tuning) -> Parts:
        """Make the parts for a contract."""
        rhythm = RHYTHMS[grain]
        return cls(
            contract=contract,
            tuning=tuning,
            rhythm=rhythm,
            episodes=Episodes(contract.entity, grain, tuning),
            readings=Readings(tuning, rhythm, _least_money(contract)),
            promises=frozenset(rule.rule.id for rule in contract.windows),
            fields=frozenset(field.name for field in contract.fields),
            required=frozenset(field.name for field in contract.fields if field.required),
            distinct_orders=orders_are_distinct(contract),
        )


class Step:
    """The window, the state that it changes, and the changes of incidents so far.

    ``first``: the window is the first of its stream, and rarely a whole one. ``records``: that came in; ``judged``: those
    with a verdict; ``planned``: the events of the shop's calendar in this window.
    """

    __slots__ = ("_window", "at", "changes", "counts", "first", "judged", "parts", "planned", "records", "state")

    def __init__(self, parts: Parts, state: State, window: Window, *, first: bool, planned: tuple[Planned, ...] = ()) -> None:
        self.parts, self.state, self.first, self.planned = parts, state, first, planned
        self._window, self.at, self.counts = window, window.start, window.counts
        self.changes: list[Change] = []
        # A record that waited is taken off the window that it was counted in: numbers can be below zero.
        self.records = max(0, window.counts.records)
        self.judged = max(0, window.counts.clean) + max(0, window.counts.rejected)

    def orders(self) -> int | None:
        """Return the orders of the window, as pages and reports count them; None if they were not counted."""
        if self.parts.distinct_orders:
            return self._window.orders
        contract = self.parts.contract
        selects = contract.sale is not None or contract.cancellation is not None
        return max(0, self.counts.sold if selects else self.counts.clean)

    def judge(self, metric: str, reading: Reading | None, *, hidden: bool = False) -> Outcome:
        """Apply a reading to the track of its metric; None: the window says nothing about it.

        What a planned event brings says nothing either, and is not learned.
        """
        if not self.parts.tuning.factor(metric):
            reading = None
        excused = bool(self.planned) and self._is_excused(metric, reading)
        if excused:
            outcome = self._judge(metric, None, hidden=hidden)
            return Outcome(normal=False, changes=outcome.changes, accepted=outcome.accepted)
        return self._judge(metric, reading, hidden=hidden)

    def _is_excused(self, metric: str, reading: Reading | None) -> bool:
        direction = "high" if reading is None or reading.score > 0 else "low"
        if reading is not None and reading.score == 0:
            return any(one.excuses(metric, "high") or one.excuses(metric, "low") for one in self.planned)
        return any(one.excuses(metric, direction) for one in self.planned)

    def _judge(self, metric: str, reading: Reading | None, *, hidden: bool) -> Outcome:
        track = self.state.tracks.get(metric)
        if track is None:
            if reading is None:
                return Outcome(normal=True)
            track = self.state.tracks[metric] = Track()
        outcome = self.parts.episodes.step(track, reading, self.at, hidden=hidden)
        self.changes += outcome.changes
        return outcome

    def is_open(self, metric: str) -> bool:
        """True if the metric has an open incident."""
        return is_open(self.state.tracks.get(metric))

    def drop_hidden(self, metric: str) -> None:
        """Forget an episode of the metric that never became an incident."""
        track = self.state.tracks.get(metric)
        if track is not None and track.episode is not None and track.episode.hidden:
            self.state.tracks[metric] = Track()

    def drop_idle(self) -> None:
        """Forget the tracks with nothing worth keeping."""
        tracks = self.state.tracks
        for metric in [metric for metric, track in tracks.items() if is_idle(track)]:
            del tracks[metric]


def _least_money(contract: Contract) -> float:
    """0 if the contract allows neither a negative quantity nor a negative price."""
    revenue = contract.revenue
    for name in (revenue.quantity, revenue.price) if revenue is not None else ():
        options = contract.field(name).options
        if options.get("minimum", options.get("exclusiveMinimum", -1)) < 0:
            return -inf
    return 0.0
