"""Short forms of `make chaos`: a few faults on embedded services, and every fault once on a cluster of three brokers."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_app.settings import Settings, load_settings
from tests.support.chaos.arena import arena
from tests.support.chaos.run import stand
from tests.support.chaos.schedule import EMBEDDED, SPANS, plan
from tests.support.services import skip_without_kafka


def settings_of(exactly_once: bool) -> Settings:
    return load_settings(
        topic_prefix="faults-", group="faults", grace=4.0, give_up_after=90.0, session_timeout=3.0, exactly_once=exactly_once
    )


@pytest.mark.timeout(180)
def test_a_few_faults_of_embedded_services_lose_nothing_and_count_everything_once(tmp_path: Path) -> None:
    schedule = plan(1, EMBEDDED, seconds=12, kills=3, zombie=5, spans=0.3)
    with arena(tmp_path, settings_of(exactly_once=False), nodes=0) as scene:
        stand(scene, schedule, seed=1, rate=150, workers=2, within=60)


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.timeout(600)
def test_every_fault_of_a_cluster_loses_nothing_and_counts_everything_once(tmp_path: Path) -> None:
    skip_without_kafka()
    schedule = plan(6, SPANS, seconds=75, kills=8, zombie=15, spans=0.5)
    with arena(tmp_path, settings_of(exactly_once=True)) as scene:
        stand(scene, schedule, seed=6, rate=150)
