"""The proxies of the fault tests pass bytes on, and cut, delay, swallow or refuse on demand."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.support.proxy import Proxies, Proxy, proxies


@pytest.fixture
def net() -> Iterator[Proxies]:
    with proxies() as running:
        yield running


@pytest.fixture
def echo() -> Iterator[int]:
    """Port of a server that sends back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        threading.Thread(target=_serve, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def _serve(server: socket.socket) -> None:
    with suppress(OSError):
        while True:
            threading.Thread(target=_echo, args=(server.accept()[0],), daemon=True).start()


def _echo(connection: socket.socket) -> None:
    with suppress(OSError), connection:
        while data := connection.recv(65_536):
            connection.sendall(data)


def connect(proxy: Proxy) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def ask(connection: socket.socket, data: bytes = b"ping") -> bytes:
    connection.sendall(data)
    answer = b""
    while len(answer) < len(data):
        part = connection.recv(65_536)
        if not part:
            break
        answer += part
    return answer


def answers(proxy: Proxy) -> bool:
    """True if a new connection passes; a reset comes at any moment."""
    with suppress(OSError), connect(proxy) as connection:
        return ask(connection) == b"ping"
    return False


def test_bytes_pass_in_order(net: Proxies, echo: int) -> None:
    sent = bytes(range(256)) * 8_000  # more than any buffer between
    with connect(net.open(echo)) as connection:
        writing = threading.Thread(target=connection.sendall, args=(sent,))
        writing.start()
        answer = b""
        while len(answer) < len(sent):
            answer += connection.recv(65_536)
        writing.join()
    assert answer == sent


def test_a_cut_resets_connections_and_new_ones_pass(net: Proxies, echo: int) -> None:
    proxy = net.open(echo)
    with connect(proxy) as connection:
        assert ask(connection) == b"ping"
        proxy.cut()
        with pytest.raises(OSError, match="reset"):
            ask(connection)
    with connect(proxy) as connection:
        assert ask(connection) == b"ping"


def test_nothing_passes_while_it_refuses(net: Proxies, echo: int) -> None:
    proxy = net.open(echo)
    proxy.refuse()
    assert not answers(proxy)
    proxy.resume()
    with connect(proxy) as connection:
        assert ask(connection) == b"ping"


def test_a_delay_holds_each_direction_and_keeps_the_order(net: Proxies, echo: int) -> None:
    proxy = net.open(echo)
    with connect(proxy) as connection:
        ask(connection)
        proxy.delay(0.15)
        began = time.monotonic()
        assert ask(connection, b"slow") == b"slow"
        assert time.monotonic() - began >= 0.3
        connection.sendall(b"first")
        proxy.resume()
        connection.sendall(b"second")
        answer = b""
        while len(answer) < 11:
            answer += connection.recv(20)
        assert answer == b"firstsecond", "what is sent later does not overtake"


def test_a_black_hole_answers_nothing_and_gives_everything_back(net: Proxies, echo: int) -> None:
    proxy = net.open(echo)
    with connect(proxy) as connection:
        ask(connection)
        proxy.blackhole()
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            ask(connection, b"lost?")
        with connect(proxy) as other:
            other.settimeout(0.2)
            with pytest.raises(TimeoutError):
                ask(other, b"new")
            proxy.resume()
            connection.settimeout(5)
            other.settimeout(5)
            assert connection.recv(5) == b"lost?"
            assert other.recv(3) == b"new"


def test_a_proxy_can_be_aimed_at_another_port(net: Proxies, echo: int) -> None:
    proxy = net.open(1)
    assert not answers(proxy), "nothing listens on port 1"
    proxy.aim(echo)
    with connect(proxy) as connection:
        assert ask(connection) == b"ping"


def test_the_end_of_a_side_reaches_the_other(net: Proxies) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        proxy = net.open(server.getsockname()[1])
        with connect(proxy) as connection:
            connection.sendall(b"a")
            accepted, _ = server.accept()
            assert accepted.recv(1) == b"a"
            accepted.sendall(b"bye")
            accepted.close()
            assert connection.recv(10) + connection.recv(10) == b"bye"


def test_a_connection_that_comes_while_the_proxies_close_is_closed_too(echo: int) -> None:
    """An open socket without an owner is a warning, which is an error, in whichever test runs when it is collected."""
    for _ in range(20):
        with ExitStack() as clients, proxies() as net, suppress(OSError):
            proxy = net.open(echo)
            net.loop.call_soon_threadsafe(time.sleep, 0.02)  # then it accepts and closes in one turn
            for _ in range(3):
                clients.enter_context(connect(proxy))
            net.loop.call_soon_threadsafe(net.loop.call_soon, proxy.stop)
        gc.collect()
