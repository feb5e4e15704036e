"""What is retried, and when it is given up."""

from __future__ import annotations


class GaveUp(Exception):
    """Kafka or Redis stayed away longer than ``give_up_after``."""
