"""Faust's app: membership of the consumer group and flow control, without its tables, its web server and its topics."""

from __future__ import annotations

from typing import Any

import faust
from faust.app.base import BootStrategy
from faust.tables.manager import TableManager

from stream_app.kafka.options import async_options
from stream_app.settings import Settings

#: Seconds without a fetch after which a member leaves its group for good: a worker without partitions, or whose topics cannot
#: be read at the moment, fetches nothing, and is to take over when that changes.
_NEVER = 10 * 365 * 86_400.0


def faust_app(settings: Settings, folder: str) -> faust.App:
    """Return an app without agents. Faust wants a ``folder``; nothing is kept in it."""
    app = faust.App(
        settings.group,
        broker=";".join(f"kafka://{server}" for server in settings.kafka.split(",")),
        datadir=folder,
        store="memory://",
        web_enabled=False,
        TableManager=_NoTables,
        topic_disable_leader=True,
        topic_allow_declare=False,
        topic_partitions=settings.partitions,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=1024 * 1024,
        broker_max_poll_records=8000,
        broker_commit_interval=0.5,
        broker_session_timeout=settings.session_timeout,
        broker_heartbeat_interval=min(3.0, settings.session_timeout / 3),
        broker_rebalance_timeout=settings.session_timeout,
        broker_max_poll_interval=_NEVER,
        stream_buffer_maxsize=1,
        stream_wait_empty=False,
        **_credentials(settings),
    )
    app.boot_strategy = _OnlyReads(app)
    return app


class _OnlyReads(BootStrategy):
    """Start no producer of Faust's: nothing is sent with it, and it ends the worker where it does not reach Kafka at once."""

    enable_kafka_producer = False


class _NoTables(TableManager):
    """Faust waits a second for tables before it joins the group; there are none."""

    async def sleep(self, _seconds: Any) -> None:
        await super().sleep(0)


def _credentials(settings: Settings) -> dict[str, Any]:
    """Faust's options for a broker that asks for TLS or a user."""
    connection = async_options(settings)
    if "sasl_mechanism" in connection:
        return {
            "broker_credentials": faust.SASLCredentials(
                username=connection["sasl_plain_username"],
                password=connection["sasl_plain_password"],
                mechanism=connection["sasl_mechanism"],
                ssl_context=connection.get("ssl_context"),
            )
        }
    if "ssl_context" in connection:
        return {"broker_credentials": faust.SSLCredentials(context=connection["ssl_context"])}
    return {}
