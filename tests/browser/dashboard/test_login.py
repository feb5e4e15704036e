"""The log-in from button to page, in a browser, against an OpenID Connect provider of the test's own."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlparse

import pytest
import redis

from headrace.embedded import EmbeddedStack
from stream_app.settings import load_settings
from stream_app.store.queries import open_queries
from tests.support.browsing import free_port, served
from tests.support.chromium import ARGUMENTS, chromium
from tests.support.fill import Shop
from tests.support.staged import country_gone, put

driver = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
jose_jwt = pytest.importorskip("joserfc.jwt", reason="Authlib is not installed")
jose_jwk = pytest.importorskip("joserfc.jwk", reason="Authlib is not installed")

pytestmark = [
    pytest.mark.skipif(chromium() is None, reason="no Chromium on PATH: install chromium"),
    pytest.mark.timeout(180),
]

CLIENT, SECRET = "headrace", "client-s3cret"


class Provider(ThreadingHTTPServer):
    """Logs in whoever ``user`` says, without asking; ``client`` is the client that redeemed a code."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self.key = jose_jwk.RSAKey.generate_key(2048, parameters={"kid": "k", "use": "sig", "alg": "RS256"})
        self.user: dict[str, Any] = {}
        self.nonce = ""
        self.client = ""

    def token(self) -> str:
        now = int(time.time())
        claims = {"iss": self.address, "aud": CLIENT, "sub": "7", "iat": now, "exp": now + 600, "nonce": self.nonce}
        return str(jose_jwt.encode({"alg": "RS256", "kid": "k"}, claims | self.user, self.key))


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        at = urlparse(self.path)
        query = {name: values[0] for name, values in parse_qs(at.query).items()}
        base = self.server.address
        if at.path == "/.well-known/openid-configuration":
            self._answer(
                {
                    "issuer": base,
                    "authorization_endpoint": f"{base}/authorize",
                    "token_endpoint": f"{base}/token",
                    "jwks_uri": f"{base}/jwks",
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                }
            )
        elif at.path == "/jwks":
            self._answer({"keys": [self.server.key.as_dict(private=False)]})
        elif at.path == "/authorize":
            self.server.nonce = query.get("nonce", "")
            self.send_response(302)
            self.send_header("Location", f"{query['redirect_uri']}?{urlencode({'code': 'c', 'state': query['state']})}")
            self.end_headers()
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        body = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        basic = self.headers.get("Authorization", "").removeprefix("Basic ")
        self.server.client = base64.b64decode(basic).decode() or ":".join(
            body.get(name, [""])[0] for name in ("client_id", "client_secret")
        )
        self._answer({"access_token": "a", "token_type": "Bearer", "expires_in": 600, "id_token": self.server.token()})

    def _answer(self, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def login_file(tmp_path: Path, provider: Provider, port: int) -> Path:
    """The log-in settings of a dashboard on that port."""
    file = tmp_path / "login.toml"
    file.write_text(
        f"""
[auth]
redirect_uri = "http://127.0.0.1:{port}/oauth2callback"
cookie_secret = "a long random text for this test only"
client_id = "{CLIENT}"
client_secret = "{SECRET}"
server_metadata_url = "{provider.address}/.well-known/openid-configuration"
""",
        encoding="utf-8",
    )
    file.chmod(0o600)
    return file


def test_those_on_the_list_log_in_and_out_and_others_see_nothing(provider: Provider, tmp_path: Path) -> None:
    port = free_port()
    file = login_file(tmp_path, provider, port)
    settings = {"HEADRACE_DASHBOARD_LOGIN": str(file), "HEADRACE_DASHBOARD_ALLOW": "ann@example.org"}
    with (
        EmbeddedStack(broker=False) as stack,
        served(stack.redis_url, port, **settings) as address,
        driver.sync_playwright() as running,
    ):
        browser = running.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        page = browser.new_page()
        page.set_default_timeout(60_000)

        provider.user = {"email": "bob@example.org", "email_verified": True}
        page.goto(f"{address}/pipeline")
        page.get_by_role("button", name="Log in").click()
        page.get_by_text("No access").wait_for()
        assert provider.client == f"{CLIENT}:{SECRET}"
        page.get_by_text("bob@example.org").wait_for()
        assert page.get_by_text("No records yet").count() == 0
        page.get_by_role("button", name="Log out").click()

        provider.user = {"email": "ann@example.org", "email_verified": True}
        page.get_by_role("button", name="Log in").click()
        page.get_by_text("No records yet").first.wait_for()
        page.get_by_role("button", name="Log out").click()
        page.get_by_role("button", name="Log in").wait_for()
        assert page.get_by_text("No records yet").count() == 0
        browser.close()


def test_whoever_has_logged_in_acts_on_an_incident(provider: Provider, tmp_path: Path) -> None:
    port = free_port()
    file = login_file(tmp_path, provider, port)
    provider.user = {"email": "ann@example.org", "email_verified": True}
    with EmbeddedStack() as stack, redis.Redis.from_url(stack.redis_url) as client:
        now = time.time_ns() // 1_000_000
        shop = Shop(client, "headrace", until=now // 1_000, now_ms=now)
        shop.announce()
        shop.fill(120)
        shop.beat(at=now + 3_600_000)
        volume, mix = country_gone(shop.until)
        put(client, shop.keys, volume, mix)
        settings = {
            "HEADRACE_DASHBOARD_LOGIN": str(file), "HEADRACE_DASHBOARD_ALLOW": "ann@example.org",
            "HEADRACE_DASHBOARD_WRITE": "on", "HEADRACE_KAFKA": stack.kafka,
        }  # fmt: skip
        with served(stack.redis_url, port, **settings) as address, driver.sync_playwright() as running:
            browser = running.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1440, "height": 1400})
            page.set_default_timeout(60_000)
            page.goto(f"{address}/pipeline")
            page.get_by_role("button", name="Log in").click()
            page.locator(".st-key-status").get_by_text("No orders from United Kingdom").wait_for()
            page.goto(f"{address}/incident?id={quote(mix.id, safe='')}")
            card = page.locator(".st-key-card-life")
            card.get_by_text("nobody has looked at it yet").wait_for()
            card.get_by_label("Note").fill("the feed is back")
            card.get_by_role("button", name="Save").click()
            card.get_by_text("Acknowledged by ann@example.org").wait_for()
            card.get_by_text("the feed is back").wait_for()
            (act,) = open_queries(load_settings(redis=stack.redis_url)).acts()
            assert (act.incident, act.kind, act.by, act.text) == (
                volume.id,
                "acknowledged",
                "ann@example.org",
                "the feed is back",
            )
            assert page.locator("[data-testid='stException']").count() == 0
            browser.close()
