"""Shares of the records that have a verdict: drift, conformity, findings and nulls, what explains others first."""

from __future__ import annotations

from collections.abc import Mapping

from stream_app.contract.model import Severity
from stream_app.monitor import segments
from stream_app.monitor.episodes import Reading
from stream_app.monitor.shares import Shares
from stream_app.monitor.step import WindowStep

#: Unknown field names that are followed.
_UNKNOWN = 40
#: Steps that read a value which came as text.
_FROM_TEXT = ("number", "timestamp", "boolean")
#: Findings that differ in number by less than this part are taken to be in the same records.
_SAME = 0.15


class Rates(WindowStep):
    """The part of a step that deals with shares."""

    def _rates(self) -> None:
        """Drift, conformity, findings and nulls: shares of the records that have a verdict."""
        sources = self._sources()
        base, shares = self.state["judged"], self.state["shares"]
        ready = self.monitor._base.ready(base)
        expected: dict[str, float] = {}
        spreads: dict[str, float] = {}
        for source in sources:
            model = shares.get(source)
            if model is None:
                model = shares[source] = Shares.new(base["n"])
            expected[source] = self.monitor._shares.expect(model, base, self.at)
            spreads[source] = self.monitor._shares.spread(model)
        strange: set[str] = set()
        for metric, source in [row for row in self._metrics(sources)]:
            reading = None
            if ready and self.judged:
                reading = self._rate(metric, source, sources[source], expected[source], spreads[source])
            outcome = self._judge(metric, reading, hidden=self._explained(metric, source, sources))
            if not outcome.normal:
                strange.add(source)
            if outcome.accepted is not None:
                self.monitor._shares.accept(shares[source], base, outcome.accepted)
        for source, hits in sources.items():
            score = Shares.score(hits, self.judged, expected[source]) if ready and self.judged else None
            model = shares[source]
            self.monitor._shares.learn(model, self.at, hits, self.judged, expected[source], score, source not in strange)
            if model["k"] < 0.01 and source not in strange:
                del shares[source]
        self.monitor._base.learn(base, self.at, self.judged)

    def _sources(self) -> dict[str, int]:
        """What is counted, and how often: of this window, and zero for what has been seen before."""
        found: dict[str, int] = {"rejected": max(0, self.counts.get("rejected", 0))}
        text: dict[str, int] = {}
        for name, number in self.counts.items():
            if number > 0 and (name[:2] == "u:" or self._named(name)):
                found[name] = min(number, self.judged)
            elif name.startswith("r:"):
                field, _, step = name[2:].rpartition(".")
                if step in _FROM_TEXT and field in self.monitor.fields:
                    text[f"t:{field}"] = min(self.judged, text.get(f"t:{field}", 0) + max(0, number))
        found |= text
        known = self.state["shares"]
        merged = {**dict.fromkeys(known, 0), **found}
        unknown = [name for name in merged if name.startswith("u:")]
        if len(unknown) > _UNKNOWN:
            # Anybody can invent names: followed are those of open incidents, then the most frequent ones.
            def weight(name: str) -> tuple[bool, float, str]:
                frequent = max(merged[name], known[name]["k"] if name in known else 0.0)
                return not self._open(f"drift:{name[2:]}:appeared"), -frequent, name

            for name in sorted(unknown, key=weight)[_UNKNOWN:]:
                del merged[name]
                known.pop(name, None)
                self.tracks.pop(f"drift:{name[2:]}:appeared", None)
        return merged

    def _named(self, name: str) -> bool:
        """Whether a count is of a rule or a field that the contract has."""
        kind, rest = name[:2], name[2:]
        return (kind == "f:" and rest in self.contract.rules) or (kind == "n:" and rest in self.monitor.fields)

    def _metrics(self, sources: Mapping[str, int]) -> list[tuple[str, str]]:
        """(metric, source), what explains others first."""
        drifts, rest = [], []
        for source in sorted(sources):
            kind, name = source[:2], source[2:]
            if kind == "u:":
                drifts.append((f"drift:{name}:appeared", source))
            elif kind == "t:":
                drifts.append((f"drift:{name}:text", source))
            elif kind == "n:":
                drifts.append((f"drift:{name}:vanished", source))
                rest.append((f"null:{name}", source))
            elif kind == "f:" and name not in self.monitor._promises:
                field, _, check = name.rpartition(".")
                if check == "type":
                    drifts.append((f"drift:{field}:type", source))
                elif check == "required" and field in self.monitor._required:
                    drifts.append((f"drift:{field}:vanished", source))
                rest.append((f"finding:{name}", source))
        rest.sort(key=lambda row: (row[0].startswith("null:"), not self._rejects(row[1]), row[0]))
        return [*drifts, ("conformity", "rejected"), *rest]

    def _rejects(self, source: str) -> bool:
        rule = self.contract.rules.get(source[2:])
        return rule is not None and rule.severity is Severity.ERROR

    def _explained(self, metric: str, source: str, sources: Mapping[str, int]) -> bool:
        """Whether an open incident says the same already."""
        kind, _, name = metric.partition(":")
        if kind == "null":
            rules = [
                f"finding:{one.rule.id}" for one in self.contract.values if one.metric == "nullValues" and one.field == name
            ]
            return self._open(f"drift:{name}:vanished") or any(
                self.episodes.is_open(self.tracks.get(one), visible=False) for one in rules
            )
        if kind != "finding":
            return False
        if name == "record.unknownField":
            return any(one.startswith("drift:") and one.endswith(":appeared") and self._open(one) for one in self.tracks)
        field, _, check = name.rpartition(".")
        if self._open(f"drift:{field}:vanished") or (check == "type" and self._open(f"drift:{field}:type")):
            return True
        # About as many records, in the same window: they are the same ones, and one of their faults is enough.
        return any(
            other != metric and other.startswith("finding:") and self._open(other)
            and abs(sources.get(f"f:{other[8:]}", 0) - sources[source]) <= _SAME * sources[source]
            for other in self.tracks
        )  # fmt: skip

    def _rate(self, metric: str, source: str, hits: int, expected: float, spread: float) -> Reading:
        rise = hits / self.judged - expected
        kind = metric.partition(":")[0]
        if kind == "drift":
            breaking = metric.endswith((":vanished", ":type")) and source.startswith("f:")
            return self.readings.drift(metric, hits, self.judged, expected, spread, "error" if breaking else "warning")
        severity = "warning"
        if kind == "finding":
            # A fall in conformity is the incident, its findings are the details.
            fallen = self._open("conformity")
            severity = "error" if self._rejects(source) and rise >= 0.1 and not fallen else "warning"
        elif rise >= (0.1 if kind == "conformity" else 0.5):
            severity = "error"
        reading = self.readings.share(metric, hits, self.judged, expected, spread, severity)
        if abs(reading.score) >= self.monitor.tuning.stay and kind != "null":
            what = "rejected" if kind == "conformity" else source
            reading.segment = segments.of_share(self.counts, self.contract.segments, what, hits)
        if kind == "conformity":
            _turn(reading)
        return reading


def _turn(reading: Reading) -> None:
    """The share of rejected records becomes conformity; the score keeps its sign, the figures turn."""
    reading.observed = 1 - reading.observed
    reading.expected = None if reading.expected is None else 1 - reading.expected
    reading.low, reading.high = 1 - (reading.high or 0.0), 1.0
    reading.direction = "low"
