"""The monitor: windows in, incidents out, when a window is not as its history leads one to expect.

Pure: no Kafka, no Redis, no clock. One ``Monitor`` and one ``State`` for each entity::

    monitor = Monitor(contract)                              # grain and tuning: Grain.HOUR, Tuning()
    state = None                                             # nothing is known yet
    for window in windows_of(tally.minutes, Grain.HOUR):     # in order, each once, the empty ones included
        state, changes = monitor.step(state, window)
        for change in changes:
            change.kind                                      # opened | continued | worse | closed
            change.incident                                  # an Incident

``Window`` and ``windows_of`` are those of ``stream_app.counts.window``. ``step`` takes the state over: the one that is passed
in must not be used again; ``State.to_json`` stores it. ``docs/explanation/anomalies.md`` describes the metrics.
"""

from stream_app.counts.window import Window, windows_of
from stream_app.monitor.incident import Change, Incident
from stream_app.monitor.monitor import Monitor
from stream_app.monitor.state import State
from stream_app.monitor.tuning import Tuning

__all__ = ["Change", "Incident", "Monitor", "State", "Tuning", "Window", "windows_of"]
