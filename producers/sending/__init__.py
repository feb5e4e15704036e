"""Deliver raw records to Kafka: outcome of each record, pace, resuming."""
