"""Everything Redis. No other package knows a key."""
