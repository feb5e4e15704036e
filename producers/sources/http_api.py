"""Read records from a paged JSON API over HTTP(S): respect `Retry-After`, and send the token to its own origin only."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx2
import tenacity
from pydantic import SecretStr
from pydantic_core import from_json

from producers.record import json_value, to_bytes
from producers.sources.rows import MISSING, Rows, parsed_rows, point
from producers.sources.specs import SourceSpec
from stream_app.errors import SourceError
from stream_app.failures import Kind, http_failure
from stream_app.failures.table import SOURCE
from stream_app.retries import POLICIES

#: Seconds that the API may take to connect, and between two parts of an answer.
TIMEOUT = 30.0
REDIRECTS = 5
#: Bytes of the largest body that is read.
MAX_BODY = 256 << 20
#: Members of an answer that may contain the items, and JSON pointers to the address of the next page.
_ITEMS = ("items", "data", "results", "records")
_NEXT = ("/next", "/links/next", "/_links/next/href", "/paging/next")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_POLICY = POLICIES["source"]


def is_url(text: str) -> bool:
    """True if a source on the command line is an HTTP(S) URL rather than a file."""
    return text.lower().startswith(("http://", "https://"))


def shown(url: str) -> str:
    """Return a URL for messages: without user, password and query, which may be secret."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return f"{url.partition('://')[0]}://…"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def checked(url: str) -> SplitResult:
    """Split a URL.

    Raises:
        SourceError: it has no host, or its port is invalid.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        port, parts = 0, urlsplit("")
    if not parts.hostname or port == 0:
        raise SourceError(f"{shown(url)}: invalid URL; write http://host:port/path")
    return parts


class _Retry(Exception):
    """A failed attempt that may succeed later; ``after``: seconds that the API asks to wait."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class HttpReader:
    """The items of a JSON API, page after page.

    Items are the array at the source's ``items`` pointer; without one, the body if it is an array, or its member `items`,
    `data`, `results` or `records`. The next page is the `Link: <…>; rel="next"` header or a `next` address in the body,
    unless the source names a cursor or a page parameter.

    Raises:
        SourceError: the API refuses, does not answer after several attempts, or answers with something else.
    """

    typed = True

    def __init__(
        self,
        url: str,
        spec: SourceSpec,
        token: SecretStr | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = checked(url)
        if parts.username or parts.password:
            raise SourceError(f"{shown(url)}: remove the user and password from the URL, and set HEADRACE_SOURCE_TOKEN")
        self.notes: dict[str, int] = {}
        self._url, self._spec, self._token, self._sleep = url, spec, token, sleep
        self._origin = _origin(url)
        self._first: tuple[list[Any], str | None, Any] | None = None
        with httpx2.Client(timeout=TIMEOUT, follow_redirects=False) as client:
            self._first = self._page(client, self._start())
        self.columns = tuple(self._rows(self._first[0]).columns) if self._first[0] else ()

    def chunks(self) -> Iterator[Rows]:
        """Yield the items page by page; the first page was read to learn the columns."""
        visited: set[str] = set()
        number = self._spec.pages.start
        url: str | None = self._start()
        items: list[Any] = []
        with httpx2.Client(timeout=TIMEOUT, follow_redirects=False) as client:
            while url is not None:
                if url in visited:
                    raise SourceError(f"{shown(url)}: the API links to a page that it gave before; check `pages`")
                visited.add(url)
                before = items
                items, following, cursor = self._first or self._page(client, url)
                self._first = None
                if items and items == before and self._spec.pages.parameter and not self._spec.pages.cursor:
                    # An API ignores unknown parameters, and would answer with its first page for ever.
                    raise SourceError(
                        f"{shown(url)}: page {len(visited)} is the same as the one before it; "
                        f"the API ignores the page parameter, check `pages`"
                    )
                if items:
                    yield self._rows(items)
                number += 1
                url = self._next(url, items, following, cursor, number)

    def _rows(self, items: list[Any]) -> Rows:
        return parsed_rows([to_bytes(json_value(item)) for item in items])

    def _start(self) -> str:
        pages = self._spec.pages
        if pages.parameter and not pages.cursor:
            return str(httpx2.URL(self._url).copy_set_param(pages.parameter, str(pages.start)))
        return self._url

    def _next(self, url: str, items: list[Any], following: str | None, cursor: Any, number: int) -> str | None:
        pages = self._spec.pages
        if pages.cursor:
            if cursor in (MISSING, None, "", False):
                return None
            return str(httpx2.URL(self._url).copy_set_param(pages.parameter or "", str(cursor)))
        if pages.parameter:
            return str(httpx2.URL(self._url).copy_set_param(pages.parameter, str(number))) if items else None
        return str(httpx2.URL(url).join(following)) if following else None

    def _page(self, client: httpx2.Client, url: str) -> tuple[list[Any], str | None, Any]:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Retry),
            stop=_POLICY.stop,
            wait=_wait,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            body, link = retrying(self._get, client, url)
        except _Retry as error:
            raise SourceError(f"{shown(url)}: {error} after {_POLICY.attempts} attempts; try again later") from None
        try:
            document = from_json(body)
        except (ValueError, RecursionError):
            raise SourceError(f"{shown(url)}: the answer is not JSON; name the address of a JSON API") from None
        items = self._items(document, url)
        pages = self._spec.pages
        following = _next_address(document, link, pages.next)
        return items, following, point(document, pages.cursor) if pages.cursor else None

    def _items(self, document: Any, url: str) -> list[Any]:
        pointer = self._spec.items
        if pointer is not None:
            found = point(document, pointer)
        elif isinstance(document, dict):
            found = next((document[name] for name in _ITEMS if isinstance(document.get(name), list)), MISSING)
        else:
            found = document
        if not isinstance(found, list):
            there = ", ".join(document) if isinstance(document, dict) else type(document).__name__
            raise SourceError(
                f"{shown(url)}: no list of records {f'at {pointer}' if pointer else 'in the answer'} (it has: {there}); "
                f"name it in sources.yaml: `items: /pointer`"
            )
        return found

    def _get(self, client: httpx2.Client, url: str) -> tuple[bytes, str | None]:
        """Return the body of a page, and the next page's address if a `Link` header gives it."""
        checked(url)
        for _ in range(REDIRECTS + 1):
            headers = {"Accept": "application/json"}
            if self._token is not None and _origin(url) == self._origin:
                headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
            try:
                with client.stream("GET", url, headers=headers) as response:
                    if response.has_redirect_location:
                        url = str(httpx2.URL(url).join(response.headers["Location"]))
                        if not is_url(url):
                            raise SourceError(f"{shown(self._url)}: redirects to an address that is not HTTP")
                        checked(url)
                        continue
                    self._check(response, url)
                    return _body(response, url), response.links.get("next", {}).get("url")
            except httpx2.TimeoutException:
                raise _Retry("no answer in time") from None
            except httpx2.UnsupportedProtocol:
                raise SourceError(f"{shown(url)}: not an HTTP address") from None
            except (httpx2.TransportError, httpx2.DecodingError) as error:
                raise _Retry(f"cannot be reached ({type(error).__name__})") from None
            except httpx2.InvalidURL:
                raise SourceError(f"{shown(self._url)}: redirects to an invalid URL") from None
        raise SourceError(f"{shown(self._url)}: more than {REDIRECTS} redirects; name the final address")

    def _check(self, response: httpx2.Response, url: str) -> None:
        status = response.status_code
        if status >= 300 and http_failure(SOURCE, status).kind is Kind.PASSING:
            raise _Retry(f"answers {status}", _retry_after(response.headers.get("Retry-After")))
        if status in (401, 403):
            cure = "the token is not accepted" if self._token else "set HEADRACE_SOURCE_TOKEN"
            raise SourceError(f"{shown(url)}: answers {status}; {cure}")
        if status >= 300:
            raise SourceError(f"{shown(url)}: answers {status}; check the address")


def _body(response: httpx2.Response, url: str) -> bytes:
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if len(body) > MAX_BODY:
            raise SourceError(f"{shown(url)}: a page is larger than {MAX_BODY >> 20} MiB; ask the API for smaller ones")
    return bytes(body)


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or _DEFAULT_PORTS.get(scheme, 0)


def _next_address(document: Any, link: str | None, pointer: str | None) -> str | None:
    if pointer is not None:
        value = point(document, pointer)
        return value if isinstance(value, str) and value else None
    if link:
        return link
    for known in _NEXT:
        value = point(document, known)
        if isinstance(value, str) and (is_url(value) or value.startswith(("/", "?"))):
            return value
    return None


def _retry_after(text: str | None) -> float | None:
    """Return the seconds to wait that a `Retry-After` header asks for, which is a number or a date."""
    if not text:
        return None
    if text.isdecimal():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.after if isinstance(error, _Retry) else None
    return _POLICY.wait(state) if asked is None else min(asked, _POLICY.longest)
