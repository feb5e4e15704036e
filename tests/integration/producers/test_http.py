"""An HTTP API is read page by page, retried politely, and its token stays with its own host."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from producers.sources.http_api import HttpReader
from producers.sources.open import open_sources
from producers.sources.specs import Pages, SourceSpec
from stream_app.contract import load_shop
from stream_app.errors import SourceError
from stream_app.retries import POLICIES

Answer = tuple[int, dict[str, str], Any]
TOKEN = SecretStr("s3cret-token")


@dataclass
class Api:
    """A local server: ``answer`` gets path and query; ``seen`` is every request's path and Authorization."""

    url: str
    answer: Callable[[str, dict[str, list[str]]], Answer]
    seen: list[tuple[str, str | None]] = field(default_factory=list)


@contextmanager
def serving(answer: Callable[[str, dict[str, list[str]]], Answer]) -> Iterator[Api]:
    api = Api("", answer)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            api.seen.append((self.path, self.headers.get("Authorization")))
            status, headers, body = api.answer(parts.path, parse_qs(parts.query))
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def product(number: int) -> dict[str, Any]:
    return {"product_id": number, "category": "Toys", "unit_price": 2.5}


def spec(**options: Any) -> SourceSpec:
    return SourceSpec("api", (), **options)


def read(url: str, source: SourceSpec | None = None, token: SecretStr | None = None) -> list[Any]:
    reader = HttpReader(url, source or spec(), token, sleep=lambda _: None)
    return [json.loads(line) for rows in reader.chunks() for line in rows.raw or ()]


@pytest.mark.parametrize("body", [[product(1)], {"items": [product(1)]}, {"data": [product(1)], "total": 1}])
def test_the_list_is_found_where_apis_put_it(body: Any) -> None:
    with serving(lambda path, query: (200, {}, body)) as api:
        assert read(f"{api.url}/products") == [product(1)]


def test_the_list_is_where_the_pointer_says() -> None:
    with serving(lambda path, query: (200, {}, {"a": {"b": [product(1)]}, "items": []})) as api:
        assert read(f"{api.url}/x", spec(items="/a/b")) == [product(1)]
        with pytest.raises(SourceError, match=r"no list of records at /a/c .*it has: a, items"):
            read(f"{api.url}/x", spec(items="/a/c"))


ATTEMPTS = POLICIES["source"].attempts


def numbers(items: list[Any]) -> list[int]:
    return [item["product_id"] for item in items]


def test_pages_follow_the_link_in_the_body() -> None:
    def answer(path: str, query: dict[str, list[str]]) -> Answer:
        page = int(query.get("p", ["1"])[0])
        return 200, {}, {"items": [product(page)], "next": f"/products?p={page + 1}" if page < 3 else None}

    with serving(answer) as api:
        assert numbers(read(f"{api.url}/products")) == [1, 2, 3]
        assert len(api.seen) == 3, "the first page is read once"


@pytest.mark.parametrize(
    "link",
    [
        '<?p={}>; rel="next", <?p=1>; rel="first"',
        '<?p=1>; rel="first",<?p={}>; rel=next',
        '<?fields=a,b&p={}>; title="more"; rel="next"',
    ],
)
def test_pages_follow_the_link_header(link: str) -> None:
    def answer(path: str, query: dict[str, list[str]]) -> Answer:
        page = int(query.get("p", ["1"])[0])
        return 200, {"Link": link.format(page + 1)} if page < 3 else {}, [product(page)]

    with serving(answer) as api:
        assert numbers(read(f"{api.url}/products")) == [1, 2, 3]


def test_pages_are_counted_until_one_is_empty() -> None:
    def answer(path: str, query: dict[str, list[str]]) -> Answer:
        page = int(query["page"][0])
        return 200, {}, [product(page)] if page < 3 else []

    with serving(answer) as api:
        source = spec(pages=Pages(parameter="page", start=0))
        assert numbers(read(f"{api.url}/products?size=1", source)) == [0, 1, 2]
        assert all("size=1" in path for path, _ in api.seen)


def test_a_cursor_is_sent_back_until_there_is_none() -> None:
    def answer(path: str, query: dict[str, list[str]]) -> Answer:
        at = query.get("after", ["a"])[0]
        following = {"a": "b c&d", "b c&d": "e", "e": None}[at]
        return 200, {}, {"items": [product(len(at))], "meta": {"cursor": following}}

    with serving(answer) as api:
        source = spec(pages=Pages(cursor="/meta/cursor", parameter="after"))
        assert numbers(read(f"{api.url}/products", source)) == [1, 5, 1]


def test_pages_that_lead_in_a_circle_are_an_error() -> None:
    with (
        serving(lambda path, query: (200, {}, {"items": [product(1)], "next": "/products?p=2"})) as api,
        pytest.raises(SourceError, match="gave before"),
    ):
        read(f"{api.url}/products")


def test_a_busy_api_is_asked_again_when_it_says() -> None:
    waits: list[float] = []
    answers = iter([(429, {"Retry-After": "7"}, b""), (503, {}, b""), (200, {}, [product(1)])])
    with serving(lambda path, query: next(answers)) as api:
        reader = HttpReader(f"{api.url}/products", spec(), None, sleep=waits.append)
        assert sum(rows.length for rows in reader.chunks()) == 1
    assert waits[0] == 7.0
    assert 0 < waits[1] < 3


def test_retry_after_may_be_a_date_and_is_bounded() -> None:
    waits: list[float] = []
    answers = iter([(429, {"Retry-After": "Wed, 01 Jan 2200 00:00:00 GMT"}, b""), (200, {}, [product(1)])])
    with serving(lambda path, query: next(answers)) as api:
        HttpReader(f"{api.url}/products", spec(), None, sleep=waits.append)
    assert waits == [60.0]


def test_an_api_that_stays_away_is_given_up_on() -> None:
    with serving(lambda path, query: (500, {}, b"")) as api:
        with pytest.raises(SourceError, match=f"answers 500 after {POLICIES['source'].attempts} attempts"):
            read(f"{api.url}/products")
        assert len(api.seen) == ATTEMPTS
    with pytest.raises(SourceError, match="cannot be reached"):
        read(f"{api.url}/products")


def test_a_refusal_is_not_repeated_and_says_what_to_set() -> None:
    with serving(lambda path, query: (401, {}, b"")) as api:
        with pytest.raises(SourceError, match="answers 401; set HEADRACE_SOURCE_TOKEN"):
            read(f"{api.url}/products?key=hidden")
        with pytest.raises(SourceError) as caught:
            read(f"{api.url}/products?key=hidden", token=TOKEN)
        assert len(api.seen) == 2
    assert "hidden" not in str(caught.value)
    assert TOKEN.get_secret_value() not in str(caught.value)


def test_an_answer_that_is_no_json_is_an_error() -> None:
    with serving(lambda path, query: (200, {}, b"<html>")) as api, pytest.raises(SourceError, match="not JSON"):
        read(f"{api.url}/products")


def test_the_token_goes_to_the_sources_own_host_only() -> None:
    with serving(lambda path, query: (200, {}, {"items": [product(2)]})) as other:

        def answer(path: str, query: dict[str, list[str]]) -> Answer:
            if path == "/products":
                return 200, {}, {"items": [product(1)], "next": f"{other.url}/products"}
            return 302, {"Location": f"{other.url}/moved"}, b""

        with serving(answer) as api:
            assert numbers(read(f"{api.url}/products", token=TOKEN)) == [1, 2]
            assert numbers(read(f"{api.url}/elsewhere", token=TOKEN)) == [2]
            assert {authorization for _, authorization in api.seen} == {f"Bearer {TOKEN.get_secret_value()}"}
        assert {authorization for _, authorization in other.seen} == {None}


def test_redirects_within_the_host_keep_the_token_and_end() -> None:
    def answer(path: str, query: dict[str, list[str]]) -> Answer:
        return (200, {}, [product(1)]) if path == "/new" else (308, {"Location": "/new" if path == "/old" else path}, b"")

    with serving(answer) as api:
        assert numbers(read(f"{api.url}/old", token=TOKEN)) == [1]
        assert all(authorization for _, authorization in api.seen)
        with pytest.raises(SourceError, match="redirects"):
            read(f"{api.url}/circle")


def test_a_url_names_its_entity_or_is_named_in_the_mapping(shop_dir: Path) -> None:
    items = [product(1), product(2) | {"note": "kept"}]
    with serving(lambda path, query: (200, {}, items)) as api:
        (source,) = open_sources(load_shop(None), [f"{api.url}/v1/products?size=2"])
        assert [json.loads(record.value) for record in source] == items
        assert [record.key for record in open_sources(load_shop(None), [f"{api.url}/products"])[0]] == [b"1", b"2"]
        with pytest.raises(SourceError, match="--entity"):
            open_sources(load_shop(None), [f"{api.url}/v1/catalogue"])
        (shop_dir / "sources.yaml").write_text(
            f"sources:\n  - name: c\n    url: {api.url}/v1/catalogue\n    feeds:\n      - entity: products\n"
            "        fields:\n          product_id: {column: product_id}\n          category: {constant: All}\n"
            "          unit_price: {cel: unit_price * 2.0}\n"
        )
        (mapped,) = open_sources(load_shop(shop_dir))
        assert [record.value for record in mapped] == [
            b'{"product_id":1,"category":"All","unit_price":5.0}', b'{"product_id":2,"category":"All","unit_price":5.0}',
        ]  # fmt: skip


@pytest.mark.parametrize("url", ["http://", "http://host:abc/products", "http://host:70000/products", "http://[::1/products"])
def test_an_address_that_is_not_a_url_is_refused(url: str) -> None:
    with pytest.raises(SourceError, match="invalid URL"):
        open_sources(load_shop(None), [url])


def test_a_next_page_at_an_address_that_is_not_a_url_is_refused() -> None:
    with (
        serving(lambda path, query: (200, {}, {"items": [product(1)], "next": "http://127.0.0.1:999999/x"})) as api,
        pytest.raises(SourceError, match="invalid URL"),
    ):
        read(f"{api.url}/products")


def test_an_api_that_does_not_know_the_page_parameter_is_not_read_for_ever() -> None:
    with (
        serving(lambda path, query: (200, {}, {"items": [product(1), product(2)]})) as api,
        pytest.raises(SourceError, match="page 2 is the same as the one before"),
    ):
        read(f"{api.url}/products", spec(pages=Pages(parameter="seite", start=1)))
