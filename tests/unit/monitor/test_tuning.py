"""The sensitivity of a metric: its own, else that of its kind, else 1."""

from __future__ import annotations

import pytest

from stream_app.errors import SettingsError
from stream_app.monitor.tuning import METRICS, Tuning


def test_a_factor_is_that_of_the_metric_or_of_its_kind() -> None:
    tuning = Tuning.of(" volume = 2, mix=0.5,mix:country=0,finding:a.type:x=3,")
    assert tuning.factor("volume") == 2.0
    assert tuning.factor("mix:country") == 0.0
    assert tuning.factor("mix:category") == 0.5
    assert tuning.factor("finding:a.type:x") == 3.0
    assert tuning.factor("finding:a.type") == tuning.factor("revenue") == 1.0
    assert Tuning.of("") == Tuning()


@pytest.mark.parametrize("metric", METRICS)
def test_each_metric_can_be_set(metric: str) -> None:
    assert Tuning.of(f"{metric}=0.5").factor(metric) == 0.5


def test_an_unknown_metric_is_refused_with_those_that_exist() -> None:
    with pytest.raises(SettingsError, match=r"HEADRACE_ANOMALY_SENSITIVITY.* colour:x.* volume, revenue"):
        Tuning.of("volume=1,colour:x=2")
