"""A member of the consumer group stays one, whatever there is to read."""

from __future__ import annotations

from stream_app.contract import load_shop
from stream_app.settings import Settings
from stream_app.worker.app import HeadraceApp


def test_a_worker_that_has_nothing_to_fetch_does_not_leave_its_group() -> None:
    """After the client's own limit (a thousand seconds) it would leave, and never join again."""
    settings = Settings()
    worker = HeadraceApp(load_shop(settings.shop), settings, {})
    assert float(worker.app.conf.broker_max_poll_interval) > 365 * 86_400
