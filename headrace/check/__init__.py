"""Judges files without Kafka or Redis."""
