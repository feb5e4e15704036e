"""Faust wiring: the batch consumer, the processing of a batch in five steps, delivery, waiting records."""
