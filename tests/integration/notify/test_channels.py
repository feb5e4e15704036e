"""Messages to people go out over real HTTP and SMTP, channel by channel; addresses stay secret, failures stay harmless."""

from __future__ import annotations

import json
import logging
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_string
from email.header import decode_header, make_header
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from stream_app.errors import SettingsError
from stream_app.notify import Notifier, masked
from stream_app.settings import load_settings
from tests.support.processes import run_headrace


class Hook(BaseHTTPRequestHandler):
    """Answers with the statuses in ``answers``, then with 200."""

    got: list[tuple[str, Any]]
    answers: list[int]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.answers.pop(0) if self.answers else 200)
        self.end_headers()
        self.wfile.write(b"ok")
        self.got.append((self.path, json.loads(body)))

    def log_message(self, format: str, *args: Any) -> None:
        return


class Mail(socketserver.StreamRequestHandler):
    """Just enough of SMTP (RFC 5321) to take a message."""

    got: list[str]

    def handle(self) -> None:
        self.wfile.write(b"220 test\r\n")
        while line := self.rfile.readline():
            verb = line.strip().upper()
            if verb.startswith(b"DATA"):
                self.wfile.write(b"354 go on\r\n")
                lines = []
                while (part := self.rfile.readline()) not in {b".\r\n", b""}:
                    lines.append(part.decode())
                self.got.append("".join(lines))
            elif verb.startswith(b"QUIT"):
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 ok\r\n")


@contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def hook(*answers: int) -> Iterator[tuple[int, list[tuple[str, Any]]]]:
    got: list[tuple[str, Any]] = []
    kind = type("AHook", (Hook,), {"got": got, "answers": list(answers)})
    with serving(HTTPServer(("127.0.0.1", 0), kind)) as port:
        yield port, got


def notifier(*addresses: str) -> Notifier:
    made = Notifier.of(SecretStr(" ".join(addresses)))
    made.sleep = lambda seconds: None
    return made


def test_a_webhook_gets_title_text_and_level() -> None:
    with hook() as (port, got):
        sent = notifier(f"json://127.0.0.1:{port}/incidents").send("orders: volume is low", "0 records", level="failure")
    assert [one.delivered for one in sent] == [True]
    ((path, message),) = got
    assert (path, message["title"], message["message"], message["type"]) == (
        "/incidents", "orders: volume is low", "0 records", "failure",
    )  # fmt: skip


def test_an_e_mail_is_sent() -> None:
    got: list[str] = []
    with serving(socketserver.TCPServer(("127.0.0.1", 0), type("AMail", (Mail,), {"got": got}))) as port:
        address = f"mailto://127.0.0.1:{port}?from=headrace@shop.example&to=ada@shop.example"
        assert [one.delivered for one in notifier(address).send("a title", "a text")] == [True]
    (mail,) = (message_from_string(one) for one in got)
    assert str(make_header(decode_header(mail["Subject"]))) == "a title"
    assert "ada@shop.example" in mail["To"]


def test_a_channel_that_fails_is_tried_again_and_the_others_get_the_message_once() -> None:
    with hook(500, 503) as (shaky, first), hook() as (sound, second):
        sent = notifier(f"json://127.0.0.1:{shaky}/", f"json://127.0.0.1:{sound}/").send("a", "b")
    assert [one.delivered for one in sent] == [True, True]
    assert (len(first), len(second)) == (3, 1)


def test_a_failure_is_logged_without_the_secret_and_raises_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), hook(500, 500, 500) as (port, _):
        sent = notifier(f"json://ada:hunter2@127.0.0.1:{port}/t0ken?q=s3cret", "json://127.0.0.1:1/t0ken").send("a", "b")
    assert [one.delivered for one in sent] == [False, False]
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith(("headrace", "apprise")))
    assert f"json://127.0.0.1:{port}/… did not accept a message" in ours
    for secret in ("hunter2", "t0ken", "s3cret", "ada"):
        assert secret not in ours
        assert secret not in repr(sent)


def test_addresses_stand_in_no_representation() -> None:
    settings = load_settings(notify="slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ")
    assert "T1JJ3T3L2" not in repr(settings)
    made = Notifier.of(settings.notify)
    assert "T1JJ3T3L2" not in repr(made)
    assert [name for name, _ in made.channels] == ["slack://T...2/A...D/T...Q//"]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("json://user:****@host:8080/a/token?+X-Key=secret", "json://host:8080/…"),
        ("jsons://host", "jsons://host/"),
        ("mailtos://ada:****@host/?from=x", "mailtos://ada:****@host/"),
    ],
)
def test_masked_addresses_say_where_and_nothing_else(address: str, shown: str) -> None:
    assert masked(address) == shown


def test_an_unknown_address_is_refused_by_its_number() -> None:
    with pytest.raises(SettingsError, match="address 2 of 2") as refused:
        Notifier.of(SecretStr("json://host/ bogus://s3cret"))
    assert "s3cret" not in str(refused.value)


def test_without_addresses_nothing_is_sent() -> None:
    assert not Notifier.of(None)
    assert not Notifier.of(SecretStr("  "))
    assert Notifier().send("a", "b") == []


def test_the_command_says_where_and_tests_it() -> None:
    with hook() as (port, got):
        address = f"json://ada:hunter2@127.0.0.1:{port}/t0ken"
        shown = run_headrace("notify", settings={"HEADRACE_NOTIFY": address})
        tested = run_headrace("notify", "--test", settings={"HEADRACE_NOTIFY": address})
    assert f"json://127.0.0.1:{port}/…" in shown.stdout
    assert (tested.returncode, tested.stdout) == (0, f"sent    json://127.0.0.1:{port}/…\n")
    assert len(got) == 1
    assert "hunter2" not in shown.stdout + shown.stderr + tested.stdout + tested.stderr
    assert run_headrace("notify", "--test").returncode == 1


def test_the_command_says_which_address_failed() -> None:
    failed = run_headrace("notify", "--test", settings={"HEADRACE_NOTIFY": "json://127.0.0.1:1/t0ken"})
    assert failed.returncode == 1
    assert "FAILED  json://127.0.0.1:1/…" in failed.stdout
    assert "t0ken" not in failed.stdout + failed.stderr
