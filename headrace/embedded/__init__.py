"""A broker and a Redis as child processes, for a machine without Docker and for tests; the demo that runs on them."""

from headrace.embedded.child import Child
from headrace.embedded.stack import EmbeddedStack

__all__ = ["Child", "EmbeddedStack"]
