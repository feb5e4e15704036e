"""Crash tests need real Kafka, and Redis of the embedded stack."""

from __future__ import annotations

from tests.support.services import databases, kafka, redis_url, settings, stack, topic_prefix

__all__ = ["databases", "kafka", "redis_url", "settings", "stack", "topic_prefix"]
