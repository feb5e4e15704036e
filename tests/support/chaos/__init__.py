"""Faults of a real cluster, on a schedule that a seed makes, against workers at work; and the recount afterwards."""
