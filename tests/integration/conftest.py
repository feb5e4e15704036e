"""Integration tests may use every service."""

from __future__ import annotations

from tests.support.redis_servers import redis_server, replicated
from tests.support.services import broker, databases, kafka, own_kafka, redis_url, settings, stack, topic_prefix

__all__ = [
    "broker",
    "databases",
    "kafka",
    "own_kafka",
    "redis_server",
    "redis_url",
    "replicated",
    "settings",
    "stack",
    "topic_prefix",
]
