"""A real HTTP server that speaks OpenAI's chat completions, and plays every way in which such an endpoint can behave."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Play = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers each request with the next play; the last one goes on."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = json.loads(self.rfile.read(length))
        llm = self.server.llm
        with llm.lock:
            llm.requests.append(Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            play = llm.plays.pop(0) if len(llm.plays) > 1 else llm.plays[0]
        self.body = body
        with suppress(BrokenPipeError, ConnectionResetError):
            play(self)

    def answer(self, status: int, body: bytes, content_type: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    llm: Llm


@dataclass
class Request:
    """A request; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def messages(self) -> str:
        """All that the messages say."""
        return "\n".join(message["content"] for message in self.body["messages"])


@dataclass
class Llm:
    """A running endpoint: ``url`` is its base URL, ``plays`` what it does next."""

    url: str
    plays: list[Play]
    requests: list[Request] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)

    def plays_now(self, *plays: Play) -> None:
        self.plays[:] = plays


@contextmanager
def serving(*plays: Play) -> Iterator[Llm]:
    """A server on a free loopback port, until the block ends."""
    server = Server(("127.0.0.1", 0), Handler)
    server.llm = Llm(f"http://127.0.0.1:{server.server_address[1]}/v1", list(plays) or [says("{}")])
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    try:
        yield server.llm
    finally:
        server.llm.over.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


def completion(content: str | None, *, finish: str = "stop", refusal: str | None = None, usage: bool = True) -> dict[str, Any]:
    """A chat completion as the protocol has it."""
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "test-model",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": content, "refusal": refusal}, "finish_reason": finish}
        ],
    }
    if usage:
        body["usage"] = {"prompt_tokens": 1_200, "completion_tokens": 300, "total_tokens": 1_500}
    return body


def says(content: str, **more: Any) -> Play:
    """Answers with this text."""
    return sends(200, completion(content, **more))


def sends(status: int, body: Mapping[str, Any] | bytes, content_type: str = "application/json", **headers: str) -> Play:
    """Answers with this status and body."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda handler: handler.answer(status, raw, content_type, **headers)


def error(status: int, message: str = "no", **headers: str) -> Play:
    """An error as the protocol has it."""
    return sends(status, {"error": {"message": message, "type": "error", "code": None}}, **headers)


def refuses_structured_output(content: str) -> Play:
    """400 for a response_format, as endpoints without structured output do; else the text."""

    def play(handler: Handler) -> None:
        if "response_format" in handler.body or "max_completion_tokens" in handler.body:
            error(400, "unknown parameter")(handler)
        else:
            says(content, usage=False)(handler)

    return play


def refuses_only_schemas(content: str) -> Play:
    """400 for a JSON schema; a plain JSON object is supported."""

    def play(handler: Handler) -> None:
        kind = handler.body.get("response_format", {}).get("type")
        (error(400, "json_schema is not supported") if kind == "json_schema" else says(content))(handler)

    return play


def hangs(handler: Handler) -> None:
    """Takes the question and never answers."""
    handler.server.llm.over.wait(30)
    handler.close_connection = True


def drips(handler: Handler) -> None:
    """Sends a byte now and then, so that no single read takes long."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while not handler.server.llm.over.wait(0.05):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def huge(handler: Handler) -> None:
    """Ten megabytes."""
    says("x" * 10_000_000)(handler)


def endless(handler: Handler) -> None:
    """Ten megabytes in chunks, without saying how many."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    chunk = b"x" * 65_536
    until = time.monotonic() + 20
    for _ in range(160):
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if time.monotonic() > until:
            return
    handler.wfile.write(b"0\r\n\r\n")


def breaks_off(handler: Handler) -> None:
    """Closes the connection in the middle of the answer."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "500")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True
