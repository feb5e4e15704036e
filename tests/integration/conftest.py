"""Integration tests may use every service."""

from __future__ import annotations

from tests.support.services import broker, databases, kafka, own_kafka, redis_url, settings, stack, topic_prefix

__all__ = ["broker", "databases", "kafka", "own_kafka", "redis_url", "settings", "stack", "topic_prefix"]
