"""Redis and Sentinels with TLS: ``rediss://`` and ``rediss+sentinel://``, with redis-py's options in the URL."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from headrace.embedded.child import free_port
from stream_app.errors import EmbeddedError, StoreError
from stream_app.settings import load_settings
from stream_app.store.connection import connect, connect_worker
from stream_app.store.queries import Queries
from tests.support.redis_servers import SERVICE, RedisServer, Sentinel


def certificate(folder: Path) -> tuple[str, ...]:
    """The options of a server with a certificate of its own for 127.0.0.1, ``cert.pem``."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl")
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    command = [
        openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert,
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return (
        "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no",
        "--tls-replication", "yes",
    )  # fmt: skip


async def ping(url: str) -> bool:
    """Ask a server by a worker's client."""
    client = connect_worker(url)
    try:
        return bool(await client.ping())
    finally:
        await client.aclose()


def test_redis_and_sentinels_with_tls(tmp_path: Path) -> None:
    options = certificate(tmp_path)
    port, sentinel_port = free_port(), free_port()
    server = RedisServer(tmp_path / "redis", *options, "--tls-port", str(port))
    lines = [f"{name.removeprefix('--')} {value}" for name, value in zip(options[::2], options[1::2], strict=True)]
    sentinel = Sentinel(tmp_path / "sentinel", port, 1, 1.0, [*lines, f"tls-port {sentinel_port}"], None)
    try:
        try:
            server.start()
        except EmbeddedError:
            if "Bad directive" not in (tmp_path / "redis" / "redis.log").read_text():
                raise
            pytest.skip("this redis-server has no TLS")
        sentinel.start()
        known = f"?ssl_ca_certs={tmp_path / 'cert.pem'}"
        for url in (f"rediss://127.0.0.1:{port}/0", f"rediss+sentinel://127.0.0.1:{sentinel_port}/{SERVICE}/0"):
            with connect(load_settings(redis=url + known)) as client:
                assert Queries(client, "headrace").contracts() == {}
            assert asyncio.run(ping(url + known))
            with connect(load_settings(redis=url)) as client, pytest.raises(StoreError):
                Queries(client, "headrace").contracts()  # an authority that nobody knows
    finally:
        sentinel.kill()
        server.kill()
