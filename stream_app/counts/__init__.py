"""Counting verdicts: counter fields, windows, tally, samples, summary. Pure."""
