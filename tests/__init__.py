"""The tests: a file a behaviour; ``tests.support`` holds what they share."""

import warnings

import pytest

pytest.register_assert_rewrite("tests.support")

with warnings.catch_warnings():
    # Warnings are errors here. kafka-python 3.0 reads its message schemas, when it is first imported, through functions
    # that Python 3.11 and 3.12 call deprecated.
    warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)
    from kafka.net.selector import NetworkSelector

_close = NetworkSelector.close


def _close_with_sockets(self: NetworkSelector) -> None:
    """Close a client's event loop and what it still listens to.

    kafka-python 3.0 leaves the socket of a connection that has something to send, or is being made, to the garbage
    collector, whose warning would fail whichever test runs at that moment.
    """
    if not self._closed and self._io_thread is not None:
        self.stop()
    left = [] if self._closed else [key.fileobj for key in self._selector.get_map().values()]
    _close(self)
    for one in left:
        one.close()


NetworkSelector.close = _close_with_sockets
