"""Altair charts of frozen values."""
