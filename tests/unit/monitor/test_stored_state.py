"""States that earlier versions stored (format 1) stay readable, to the letter."""

from __future__ import annotations

import json
from typing import Any

from stream_app.monitor import Incident, Monitor, State
from stream_app.monitor.sources import Source, source_of
from stream_app.windows.grain import Grain
from tests.support.windows import HOUR, MONDAY, ORDERS, window

AT = MONDAY + 28 * HOUR
INCIDENT: dict[str, Any] = {
    "id": f"orders.mix:country.{AT}", "entity": "orders", "metric": "mix:country", "severity": "error", "state": "open",
    "start": AT, "end": AT + HOUR, "grain": "h", "windows": 1, "observed": 0.0, "expected": 0.19, "low": None, "high": None,
    "unit": "share", "direction": "changed", "segment": ["country", "Köln|a", 0.0, 0.19], "updated": AT + HOUR, "outcome": "",
}  # fmt: skip
#: What incidents have had since, with the values that one of an earlier version gets.
SINCE: dict[str, Any] = {"effect": None, "sums": None, "crept": False, "trail": []}
#: Written as the monitor wrote it before it had structs.
STORED: dict[str, Any] = {
    "format": 1, "at": AT, "windows": 29, "records": 7398, "peak": 522,
    "tracks": {
        "volume": {"s": [0.38, 0.0], "o": None},
        "mix:country": {
            "s": [0.0, 0.0],
            "o": {
                "down": True, "hidden": False, "gap": 1, "idle": 0, "n": 1, "worst": 7.25, "r": [0.0], "i": INCIDENT,
                "value": "Köln|a",
            },
        },
        "revenue": {
            "s": [1.5, 0.0],
            "o": {"down": True, "hidden": True, "gap": 0, "idle": 2, "n": 3, "worst": 0.0, "r": [0.1, 0.2, 0.15], "i": None},
        },
    },
    "volume": {
        "b": [], "l": 297.2746536482541, "c": {"27": [0.01677], "28": [0.02687, 0.3]}, "d": {"0": 1.003, "1": 0.98},
        "z": [1.51, -9.73], "t": [232.0, 8.0], "q": [3.988, 1.0, 2],
    },
    "judged": {"n": 29, "w": 6794.0, "c": {"0": [167.2, 2], "23": [143.0, 1]}},
    "shares": {
        "rejected": {"k": 148.8, "c": {"0": 5.4}, "z": [-2.31, 0.39]},
        "f:quantity.minimum": {"k": 148.8, "c": {"0": 5.4}, "z": [-2.31]},
        "n:coupon": {"k": 1333.0, "c": {"0": 31.5}, "z": []},
        "u:channel": {"k": 53.4, "c": {"0": 3.8}, "z": [1.1]},
        "t:price": {"k": 80.12, "c": {"0": 5.7}, "z": [1.36]},
    },
    "waiting": {"few_missing": [1, 87]},
    "revenue": {
        "b": [[MONDAY + HOUR, 127_000], [MONDAY + 2 * HOUR, -300]], "l": None, "c": {}, "d": {}, "z": [],
        "t": [127000.0, -300.0], "q": [0.0, 0.0, 0],
    },
    "average": {"v": [[0, 2065.0], [1, 2196.0]], "z": [0.81]},
    "mix": {
        "country": {
            "n": 29, "w": 6907.0, "z": [1.35, 0.21],
            "v": {"Köln|a": [678.2, 0.0, 0.5, 0.07863], "France": [1409.0, 0.0, 0.0, 0.158]},
        }
    },
}  # fmt: skip


def stored() -> State:
    state = State.from_json(json.dumps(STORED, ensure_ascii=False, separators=(",", ":")))
    assert state is not None
    return state


def test_a_stored_state_is_written_again_as_it_was() -> None:
    written = json.loads(stored().to_json())
    assert written["tracks"]["mix:country"]["o"].pop("i") == INCIDENT | SINCE
    expected = json.loads(json.dumps(STORED))
    del expected["tracks"]["mix:country"]["o"]["i"]
    assert written == expected


def test_its_short_names_are_read_as_what_they_mean() -> None:
    state = stored()
    episode = state.tracks["mix:country"].episode
    assert episode is not None
    assert (episode.windows, episode.worst, episode.shifts, episode.value) == (1, 7.25, [0.0], "Köln|a")
    assert episode.incident == Incident.from_json(json.dumps(INCIDENT))
    assert episode.incident is not None
    assert episode.incident.grain is Grain.HOUR
    assert state.volume.cells == {27: [0.01677], 28: [0.02687, 0.3]}
    assert (state.volume.silence.windows, state.volume.silence.empty, state.volume.silence.run) == (3.988, 1.0, 2)
    assert (state.judged.windows, state.judged.records, state.judged.hours[0]) == (29, 6794.0, (167.2, 2))
    assert (state.mix["country"].values["Köln|a"].records, state.mix["country"].values["Köln|a"].high) == (678.2, 0.5)
    assert state.revenue is not None
    assert state.revenue.warm_up[1] == (MONDAY + 2 * HOUR, -300)
    assert state.average is not None
    assert state.average.values == [(0, 2065.0), (1, 2196.0)]


def test_its_shares_are_those_of_the_counters_of_today() -> None:
    assert [source_of(key) for key in stored().shares] == [
        Source("rejected"), Source("findings", "quantity.minimum"), Source("nulls", "coupon"), Source("unknown", "channel"),
        Source("text", "price"),
    ]  # fmt: skip


def test_the_monitor_goes_on_from_it() -> None:
    counts = {"in": 300, "clean": 300, "s|country|in|Köln|a": 60, "s|country|in|France": 240}
    state, changes = Monitor(ORDERS).step(stored(), window(AT + HOUR, counts))
    (change,) = [one for one in changes if one.incident.metric == "mix:country"]
    assert (change.kind, change.incident.id, change.incident.outcome) == ("closed", INCIDENT["id"], "recovered")
    assert (state.windows, state.records) == (30, 7698)
    assert state.waiting == {"few_missing": (1, 87)}


def test_a_state_without_money_or_segments_has_neither() -> None:
    plain = {name: value for name, value in STORED.items() if name not in {"revenue", "average", "mix"}}
    state = State.from_json(json.dumps(plain))
    assert state is not None
    written = json.loads(state.to_json())
    written["tracks"]["mix:country"]["o"]["i"] = INCIDENT
    assert written == plain
    assert not state.fits(ORDERS)
