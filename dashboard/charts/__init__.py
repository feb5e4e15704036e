"""Altair charts of frozen values: pure functions, axes with titles and units."""
