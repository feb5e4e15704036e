"""TCP proxies that cut, delay, swallow or refuse, in a thread of their own.

A connection through a proxy is two sockets; what one brings goes to the other. ``Proxies`` runs the event loop, a ``Proxy``
listens on a port and can be changed from any thread at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

HOST = "127.0.0.1"
#: Bytes that wait in a direction before reading from its sender stops.
HIGH_WATER = 1 << 20


class Proxies:
    """The thread with the event loop of all proxies of a test; made by ``proxies``."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="proxies", daemon=True)
        self._thread.start()
        self._all: list[Proxy] = []

    def open(self, target: int = 0) -> Proxy:
        """Return a proxy that listens on a free port; ``target`` may become known later."""
        proxy = Proxy(self, target)
        self.call(proxy.listen)
        self._all.append(proxy)
        return proxy

    def call(self, action: Callable[[], Any]) -> Any:
        """Run ``action`` in the loop, wait for it, and return what it returns."""

        async def run() -> Any:
            result = action()
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)

    def close(self) -> None:
        """Close every connection and end the thread."""
        for proxy in self._all:
            self.call(proxy.stop)
        for proxy in self._all:
            self.call(proxy.shut)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


class Proxy:
    """One listening port and the connections through it."""

    def __init__(self, owner: Proxies, target: int) -> None:
        self.target = target
        self.port = 0
        #: Seconds that bytes take from one side to the other.
        self.lag = 0.0
        #: Nothing is passed on, and nothing is closed.
        self.silent = False
        #: New connections are closed at once.
        self.refusing = False
        self.links: set[Link] = set()
        #: Every socket that is not closed; a connection may have ended while one of its sockets still writes.
        self.open: set[Side] = set()
        self.loop = owner.loop
        self._owner = owner
        self._listener: socket.socket | None = None
        self._taken: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """``host:port`` for clients."""
        return f"{HOST}:{self.port}"

    def listen(self) -> None:
        """Start to accept connections."""
        self._listener = socket.create_server((HOST, 0), backlog=128)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        # Not asyncio's server: what it accepts just before it is closed stays open without an owner.
        self.loop.add_reader(self._listener, self._accept, self._listener)

    # --- from any thread --------------------------------------------------------------------------------------------

    def cut(self) -> None:
        """Reset every connection; new ones pass."""
        self._owner.call(self._cut)

    def refuse(self) -> None:
        """Reset every connection, and every new one until ``resume``."""
        self.refusing = True
        self.cut()

    def delay(self, seconds: float) -> None:
        """Let bytes take longer, in both directions, in the order in which they came."""
        self.lag = seconds

    def blackhole(self) -> None:
        """Keep connections open and pass nothing on: the other side looks dead, and nobody says so."""
        self.silent = True
        self._owner.call(self._turn)

    def resume(self) -> None:
        """End ``refuse``, ``delay`` and ``blackhole``; what was sent meanwhile arrives now, as TCP repeats what got lost."""
        self.silent, self.refusing, self.lag = False, False, 0.0
        self._owner.call(self._turn)

    def aim(self, target: int) -> None:
        """Send new connections to another port, and reset those that there are: what a floating address does in a failover."""
        self.target = target
        self.cut()

    # --- in the loop ------------------------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the client has gone again
            connection, _ = listener.accept()
            connection.setblocking(False)
            task = self.loop.create_task(self._take(connection))
            self._taken.add(task)
            task.add_done_callback(self._taken.discard)

    async def _take(self, connection: socket.socket) -> None:
        await self.loop.connect_accepted_socket(lambda: Link(self).inner, connection)

    def _cut(self) -> None:
        for link in list(self.links):
            link.reset()

    def _turn(self) -> None:
        for link in list(self.links):
            link.turn()

    def stop(self) -> None:
        """Stop listening and reset every connection."""
        if self._listener is not None:
            self.loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        self.refusing = True
        self._cut()

    async def shut(self) -> None:
        """Wait until every socket is closed."""
        me = asyncio.current_task()
        while self.open or any(task is not me for task in asyncio.all_tasks()):  # connections that are being made, too
            for side in list(self.open):
                side.abort()
            await asyncio.sleep(0.005)


class Link:
    """One connection: the client's socket (inner) and ours to the target (outer)."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.inner, self.outer = Side(self), Side(self)
        self.inner.other, self.outer.other = self.outer, self.inner
        self.dead = False
        self._connecting: asyncio.Task[None] | None = None

    def opened(self, side: Side) -> None:
        """Connect to the target as soon as a client is there."""
        if side is self.inner:
            self.proxy.links.add(self)
            if self.proxy.refusing:
                self.reset()
            else:
                self._connecting = self.proxy.loop.create_task(self._connect())
        self.turn()

    async def _connect(self) -> None:
        try:
            await self.proxy.loop.create_connection(lambda: self.outer, HOST, self.proxy.target)
        except OSError:
            self.reset()
        else:
            if self.dead or self.proxy.refusing:  # cut while it was connecting
                self.outer.abort()

    def turn(self) -> None:
        """Read from each side if the other one can take it, and the proxy lets it."""
        for side in (self.inner, self.outer):
            side.read(wanted=not self.proxy.silent and side.other.transport is not None and not side.other.full)

    def reset(self) -> None:
        """Reset both sockets."""
        self.dead = True
        self.proxy.links.discard(self)
        self.inner.abort()
        self.outer.abort()


class Side(asyncio.Protocol):
    """One of the two sockets of a connection."""

    other: Side

    def __init__(self, link: Link) -> None:
        self.link = link
        self.transport: asyncio.Transport | None = None
        self.full = False
        self._closed = False
        #: (moment, bytes) of what a delay has not let through yet.
        self._late: deque[tuple[float, bytes]] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # of a TCP connection
        self.link.proxy.open.add(self)
        transport.set_write_buffer_limits(high=HIGH_WATER)  # type: ignore[attr-defined]
        self.link.opened(self)

    def data_received(self, data: bytes) -> None:
        proxy = self.link.proxy
        if proxy.lag or self._late:
            # Bytes that were sent during a delay arrive before those sent after it.
            at = max(proxy.loop.time() + proxy.lag, self._late[-1][0] if self._late else 0.0)
            self._late.append((at, data))
            if len(self._late) == 1:
                proxy.loop.call_at(at, self._catch_up)
        else:
            self.other.send(data)

    def _catch_up(self) -> None:
        """Pass on what has been delayed long enough, in order."""
        loop = self.link.proxy.loop
        while self._late and self._late[0][0] <= loop.time() + 0.001:
            self.other.send(self._late.popleft()[1])
        if self._late:
            loop.call_at(self._late[0][0], self._catch_up)
        elif self._closed and self.other.transport is not None:
            self.other.transport.close()

    def send(self, data: bytes) -> None:
        """Write to this socket, if it is still open."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def read(self, *, wanted: bool) -> None:
        """Read from this socket, or leave its bytes where they are."""
        if self.transport is not None and not self.transport.is_closing():
            if wanted:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

    def abort(self) -> None:
        """Reset this socket."""
        if self.transport is not None:
            raw = self.transport.get_extra_info("socket")
            if raw is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        self._closed = True
        self.link.proxy.open.discard(self)
        if not self.link.dead:
            self.link.proxy.links.discard(self.link)
            if self.other.transport is not None and not self._late:
                self.other.transport.close()

    def pause_writing(self) -> None:
        self.full = True
        self.link.turn()

    def resume_writing(self) -> None:
        self.full = False
        self.link.turn()


@contextmanager
def proxies() -> Iterator[Proxies]:
    """Run the proxies of a test, and close them at the end."""
    running = Proxies()
    try:
        yield running
    finally:
        with contextlib.suppress(TimeoutError):
            running.close()
