"""The monitor of one entity: a window goes in, its metrics are compared with their expectations, incidents come out."""

from __future__ import annotations

from math import inf
from typing import Any

from stream_app.contract.model import Contract, WindowRule
from stream_app.counts.window import HashWindow as Window
from stream_app.monitor import segments
from stream_app.monitor.average import Average
from stream_app.monitor.episodes import Episodes, Reading
from stream_app.monitor.incident import Change, Incident
from stream_app.monitor.mix import Mix
from stream_app.monitor.rates import Rates
from stream_app.monitor.readings import Readings
from stream_app.monitor.robust import poisson_score
from stream_app.monitor.seasonal import Expected, Seasonal
from stream_app.monitor.shares import Base, Shares
from stream_app.monitor.tuning import RHYTHMS, Tuning

#: What is known of an entity: JSON types only.
State = dict[str, Any]
#: Average orders and revenue of fewer records say nothing.
_FEWEST = 20
#: After fewer records a day than STRAY, a window with so many records, and so many times the most before, is the beginning.
_STRAY, _BEGINNING, _TIMES = 5, 20, 10
#: Windows after which an episode of a mix is more than a bunch of records.
_SHORT = 3
_FORMAT = 1


class Monitor:
    """Watches the windows of one entity. Holds no state: everything is in the dict that ``step`` takes and gives."""

    def __init__(self, contract: Contract, grain: str = "h", tuning: Tuning | None = None) -> None:
        """``grain``: m, h or d."""
        self.contract, self.grain = contract, grain
        self.tuning = tuning or Tuning()
        self.rhythm = rhythm = RHYTHMS[grain]
        self._episodes = Episodes(contract.entity, grain, rhythm, self.tuning)
        self._readings = Readings(self.tuning, rhythm, _least_money(contract))
        self._seasonal, self._base, self._shares = Seasonal(rhythm), Base(rhythm), Shares(rhythm)
        self._average, self._mix = Average(rhythm), Mix(rhythm, self.tuning)
        self._promises = {rule.rule.id for rule in contract.windows}
        self.fields = {field.name for field in contract.fields}
        self._required = {field.name for field in contract.fields if field.required}

    def start(self) -> State:
        """The state in which nothing is known."""
        state: State = {
            "format": _FORMAT,
            "at": None,
            "windows": 0,
            "records": 0,
            "peak": 0,
            "tracks": {},
            "volume": Seasonal.new(),
            "judged": Base.new(),
            "shares": {},
            "waiting": {},
        }
        if self.contract.revenue:
            state |= {"revenue": Seasonal.new(), "average": Average.new()}
        if self.contract.segments:
            state["mix"] = {field: Mix.new() for field in self.contract.segments}
        return state

    def step(self, state: State | None, window: Window) -> tuple[State, list[Change]]:
        """Take the next window into account; windows without records count, once there has been one with records.

        A state of another format, or of a contract with other segments, starts afresh.

        Raises:
            ValueError: the window does not lie behind the one before.
        """
        if state is None or not self._fits(state):
            state = self.start()
        if state["at"] is not None and window.start <= state["at"]:
            raise ValueError(f"the window {window.start} does not lie behind {state['at']}")
        records = window.counts.get("in", 0)
        first = state["at"] is None
        if first and records <= 0:
            return state, []
        closed: list[Change] = []
        if not first and self._begins(state, records):
            closed, state, first = self._episodes.close_all(state["tracks"], window.start), self.start(), True
        state["windows"], state["records"] = state["windows"] + 1, state["records"] + records
        state["peak"] = max(state["peak"], records)
        state["at"] = window.start
        return state, closed + _Step(self, state, window, first).run()

    def open_incidents(self, state: State | None) -> list[Incident]:
        """What is wrong at the moment."""
        tracks = (state or {}).get("tracks", {}).values()
        return [Incident.from_dict(track["o"]["i"]) for track in tracks if track["o"] and track["o"]["i"]]

    def _begins(self, state: State, records: int) -> bool:
        """Whether the stream begins here: what came before is next to nothing, such as single records of another year."""
        if records < _BEGINNING:
            return False
        daily = state["records"] / state["windows"] * 86_400 / self.rhythm.seconds
        return bool(daily < _STRAY and records >= _TIMES * state["peak"])

    def _fits(self, state: State) -> bool:
        segments_known = tuple(state.get("mix", ()))
        return (
            state.get("format") == _FORMAT
            and segments_known == self.contract.segments
            and ("revenue" in state) == (self.contract.revenue is not None)
        )


def _least_money(contract: Contract) -> float:
    """0 where the contract leaves neither quantity nor price below it."""
    revenue = contract.revenue
    for name in (revenue.quantity, revenue.price) if revenue is not None else ():
        options = contract.field(name).options
        if options.get("minimum", options.get("exclusiveMinimum", -1)) < 0:
            return -inf
    return 0.0


class _Step(Rates):
    """One window of one entity; causes are looked at before what they explain."""

    def run(self) -> list[Change]:
        """All metrics, in the order in which one explains another."""
        normal, expected = self._volume()
        self._promises()
        self._rates()
        if self.contract.revenue:
            self._money(normal, expected)
        for field in self.contract.segments:
            self._mixed(field, expected)
        for metric in [metric for metric, track in self.tracks.items() if self.episodes.idle(track)]:
            del self.tracks[metric]
        return self.changes

    # --- volume ---------------------------------------------------------------------------------------------------

    def _volume(self) -> tuple[bool, Expected | None]:
        seasonal, model, observed = self.monitor._seasonal, self.state["volume"], self.records
        if self.first:
            return False, None  # a stream seldom begins with a whole window
        expected = seasonal.expect(model, self.at)
        if expected is None:
            seasonal.learn(model, self.at, observed, None, 0.0)
            return True, None
        spreads = seasonal.spread(model, -1), seasonal.spread(model, 1)
        reading = self.readings.volume(observed, expected, model["l"], spreads, seasonal.silence(model, observed, expected))
        if abs(reading.score) >= self.monitor.tuning.stay:
            for field in self.contract.segments:
                usual = self._usual(field)
                reading.segment = reading.segment or segments.of_volume(self.counts, field, usual, expected.value, observed)
        outcome = self._judge("volume", reading)
        if outcome.normal:
            seasonal.learn(model, self.at, observed, expected, poisson_score(observed, expected.value))
        if outcome.accepted is not None:
            seasonal.scale(model, outcome.accepted)
            if "revenue" in self.state:
                seasonal.scale(self.state["revenue"], outcome.accepted)
                self._drop_hidden("revenue")
        return outcome.normal, expected

    def _usual(self, field: str) -> dict[str, float]:
        mix = self.state["mix"][field]
        return {value: row[0] / mix["w"] for value, row in mix["v"].items()} if mix["w"] else {}

    # --- the contract's promises ----------------------------------------------------------------------------------

    def _promises(self) -> None:
        for rule in self.contract.windows:
            reading: Reading | None = None
            if rule.metric == "rowCount":
                reading = None if self.first else self.readings.threshold(rule, self.judged)
            elif rule.unit == "percent":
                reading = self._promised_share(rule)
            else:
                reading = self.readings.threshold(rule, self.counts.get(f"f:{rule.counted}", 0))
            self._judge(f"threshold:{rule.rule.id}", reading)

    def _promised_share(self, rule: WindowRule) -> Reading | None:
        """A share of few records says nothing: such windows wait for the next ones, until there are enough."""
        hits, records = self.state["waiting"].pop(rule.rule.id, (0, 0))
        hits, records = hits + self.counts.get(f"f:{rule.counted}", 0), records + self.judged
        if records < self.monitor.tuning.promise_records:
            if records:
                self.state["waiting"][rule.rule.id] = [hits, records]
            return None
        return self.readings.threshold(rule, hits / records)

    # --- money ----------------------------------------------------------------------------------------------------

    def _money(self, volume_normal: bool, volume: Expected | None) -> None:
        money, clean = self.counts.get("rev", 0), max(0, self.counts.get("clean", 0))
        self._averaged(money, clean)
        if self.first:
            return
        seasonal, model = self.monitor._seasonal, self.state["revenue"]
        level = self.state["volume"]["l"]
        unit = abs(model["l"] / level) if model["l"] and level else 0.0
        expected = seasonal.expect(model, self.at, 1 / unit) if unit > 1e-6 else None
        if expected is None or volume is None or volume.value < _FEWEST:
            self._judge("revenue", None)
            if volume_normal:
                seasonal.learn(model, self.at, money, None, 0.0)
            return
        expected = Expected(expected.value, min(expected[1:]), max(expected[1:]))
        spreads = seasonal.spread(model, -1), seasonal.spread(model, 1)
        reading = self.readings.revenue(money, expected, unit, volume.value, spreads)
        hidden = self._open("volume") or self._open("average_order") or self._open("conformity")
        outcome = self._judge("revenue", reading, hidden=hidden)
        if outcome.normal and volume_normal:
            score = (money - expected.value) / (unit * volume.value**0.5)
            seasonal.learn(model, self.at, money, expected, score)
        if outcome.accepted is not None:
            seasonal.scale(model, outcome.accepted)

    def _averaged(self, money: int, clean: int) -> None:
        average, model = self.monitor._average, self.state["average"]
        if clean < _FEWEST:
            self._judge("average_order", None)
            return
        value = money / clean
        expected = average.expect(model, self.at)
        if expected is None:
            average.learn(model, self.at, value, None)
            return
        reading = self.readings.average(value, clean, expected, average.spread(model))
        outcome = self._judge("average_order", reading)
        if outcome.normal:
            average.learn(model, self.at, value, average.score(value, clean, expected))
        if outcome.accepted is not None:
            average.accept(model, outcome.accepted)

    # --- mix ------------------------------------------------------------------------------------------------------

    def _mixed(self, field: str, volume: Expected | None) -> None:
        mix, model = self.monitor._mix, self.state["mix"][field]
        metric = f"mix:{field}"
        track = self.tracks.get(metric)
        only = track["o"]["value"] if track and track["o"] else None
        found = mix.counts(model, self.counts, field)
        shift = mix.assess(model, found, only)
        reading = None
        if shift is not None:
            tuning = self.monitor.tuning
            gone = shift.now == 0 and shift.before >= 0.05
            reading = Reading(
                metric,
                observed=shift.now,
                expected=shift.before,
                low=None,
                high=None,
                unit="share",
                severity="error" if gone else "warning",
                score=shift.score * tuning.factor(metric),
                threshold=tuning.threshold,
                matters=True,
                shift=shift.now,
                direction="changed",
                segment=(field, shift.value, _four(shift.now), _four(shift.before)),
                sums=shift.sums,
                accept=self.monitor.rhythm.accept,
            )
        empty = volume is not None and self.records < 0.3 * volume.low
        outcome = self._judge(metric, reading, hidden=self._open("conformity") or empty)
        track = self.tracks.get(metric)
        if track and track["o"] and shift is not None and only is None:
            track["o"]["value"] = shift.value
        lasting = bool(track and track["o"] and track["o"]["n"] > _SHORT)
        mix.learn(model, found, normal=outcome.normal, lasting=lasting)
        if outcome.accepted is not None:
            mix.accept(model)


def _four(value: float) -> float:
    return float(f"{value:.4g}")
