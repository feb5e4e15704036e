"""Long crash tests, run by ``make chaos``."""
