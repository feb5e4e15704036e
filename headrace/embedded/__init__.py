"""A real broker and a real Redis as child processes, for a laptop without Docker and for the tests."""

from headrace.embedded.child import Child
from headrace.embedded.stack import EmbeddedStack

__all__ = ["Child", "EmbeddedStack"]
