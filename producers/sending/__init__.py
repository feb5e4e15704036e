"""Delivery of raw records to Kafka: accounting, pace, resuming."""
