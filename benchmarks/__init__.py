"""Benchmarks: ratios against peers, and against an older checkout, measured in the same run."""
