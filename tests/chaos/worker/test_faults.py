"""The delivery promise on a real cluster: three brokers, a Redis with an AOF, proxies between, and every fault we know."""

from __future__ import annotations

import os
import shutil

import pytest

from stream_app.settings import load_settings
from tests.support.chaos.arena import arena
from tests.support.chaos.run import stand
from tests.support.chaos.schedule import SPANS, plan
from tests.support.paths import ROOT
from tests.support.services import skip_without_kafka

#: Reports, and logs and data of the runs that failed.
REPORTS = ROOT / "build" / "chaos"
#: The seeds of `make chaos`; the last two deliver exactly once.
SEEDS = (1, 2, 3, 4, 5)
EXACTLY_ONCE = (4, 5)


def chosen_seeds() -> tuple[int, ...]:
    """The seeds of HEADRACE_TEST_SEED, else all."""
    text = os.environ.get("HEADRACE_TEST_SEED", "")
    return tuple(int(one) for one in text.split(",") if one) or SEEDS


def chosen_faults() -> list[str]:
    """The faults of HEADRACE_TEST_FAULTS, else all; with a minus before each: all but those."""
    names = [name for name in os.environ.get("HEADRACE_TEST_FAULTS", "").split(",") if name]
    unknown = {name.removeprefix("-") for name in names} - SPANS.keys()
    assert not unknown, f"unknown faults {sorted(unknown)}; there are {', '.join(SPANS)}"
    if all(name.startswith("-") for name in names):
        return [name for name in SPANS if f"-{name}" not in names]
    return names


@pytest.mark.kafka
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("seed", chosen_seeds())
def test_every_fault_of_a_real_cluster_loses_nothing_and_counts_everything_once(seed: int) -> None:
    skip_without_kafka()
    folder = REPORTS / f"seed-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    scale = float(os.environ.get("HEADRACE_TEST_SCALE") or 1)
    exactly_once = seed % 5 in {one % 5 for one in EXACTLY_ONCE}
    settings = load_settings(
        topic_prefix="chaos-", group="chaos", grace=8.0, give_up_after=150.0, session_timeout=4.0, exactly_once=exactly_once
    )
    schedule = plan(seed, chosen_faults(), seconds=240 * scale, kills=max(3, round(32 * scale)), zombie=60 * min(1.0, scale))
    with arena(folder, settings) as scene:
        stand(scene, schedule, seed=seed, rate=150, report=REPORTS / f"seed-{seed}.json")
    shutil.rmtree(folder)
