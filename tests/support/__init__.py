"""Helpers that tests share: services, records, contracts, processes, waiting with a deadline."""
