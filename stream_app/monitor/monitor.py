"""The monitor of one entity: takes windows, compares their metrics with the expectations, gives incidents."""

from __future__ import annotations

from collections.abc import Sequence

from stream_app.contract.model import Contract
from stream_app.contract.planned import Planned, during
from stream_app.counts.window import Window
from stream_app.monitor.effect import add_effects, usual_shares
from stream_app.monitor.incident import Change
from stream_app.monitor.measures import mix, money, promises, volume
from stream_app.monitor.rates import rates
from stream_app.monitor.state import State
from stream_app.monitor.step import Parts, Step
from stream_app.monitor.tuning import Tuning
from stream_app.windows.grain import Grain

#: After fewer records a day than STRAY, a window with BEGINNING records, and TIMES as many as the largest window before, is
#: the beginning of the stream.
_STRAY, _BEGINNING, _TIMES = 5, 20, 10


class Monitor:
    """Watches the windows of one entity. It has no state of its own: ``step`` takes and gives it."""

    def __init__(
        self, contract: Contract, grain: Grain = Grain.HOUR, tuning: Tuning | None = None, planned: Sequence[Planned] = ()
    ) -> None:
        self.contract, self.grain, self.planned = contract, grain, planned
        self.parts = Parts.of(contract, grain, tuning or Tuning())

    def step(self, state: State | None, window: Window) -> tuple[State, list[Change]]:
        """Take the next window into account; windows without records count, once there has been one with records.

        A state of another format, or of a contract with other segments, starts afresh.

        Raises:
            ValueError: the window is not later than the one before.
        """
        if state is None or not state.fits(self.contract):
            state = State.new(self.contract)
        if state.at is not None and window.start <= state.at:
            raise ValueError(f"the window {window.start} is not later than the window before it, {state.at}")
        records = window.counts.records
        first = state.at is None
        if first and records <= 0:
            return state, []
        closed: list[Change] = []
        if not first and self._begins(state, records):
            closed = self.parts.episodes.close_all(state.tracks, window.start)
            state, first = State.new(self.contract), True
        state.at = window.start
        state.windows, state.records = state.windows + 1, state.records + records
        state.peak = max(state.peak, records)
        found = during(self.planned, self.contract.entity, window.start, window.start + self.grain.seconds)
        return state, closed + self._measure(Step(self.parts, state, window, first=first, planned=found))

    def _measure(self, step: Step) -> list[Change]:
        """All measures, causes before what they explain."""
        usual = usual_shares(step)
        seen = volume(step)
        promises(step)
        rates(step)
        found = money(step, seen)
        mix(step, seen)
        add_effects(step, found, usual)
        step.drop_idle()
        return step.changes

    def _begins(self, state: State, records: int) -> bool:
        """True if the stream begins here: what came before is next to nothing, such as single records of another year."""
        if records < _BEGINNING:
            return False
        daily = state.records / state.windows * Grain.DAY.seconds / self.grain.seconds
        return daily < _STRAY and records >= _TIMES * state.peak
