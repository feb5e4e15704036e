"""Everything in Redis: no other package knows a key, and only this one speaks Redis."""
